#!/usr/bin/env bash
# pandas 3.1.1
# One would guess: integers in a CSV column stay exact if one cell is empty.
# What happens: the column becomes float64, and integers over 2**53 lose their last digits without a warning.
# So: seeds and digests of 64 bits change when one run has none.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import io

import pandas as pd

given = 2**53 + 1
print(int(pd.read_csv(io.StringIO(f"seed\n{given}\n"))["seed"][0]) == given, end=" ")
print(int(pd.read_csv(io.StringIO(f"seed,x\n{given},1\n,2\n"))["seed"][0]) == given)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
