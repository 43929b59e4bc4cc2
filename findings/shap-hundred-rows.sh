#!/usr/bin/env bash
# shap 0.51.0
# One would guess: the background of a masker is all rows that it is given.
# What happens: 100 of them by default.
# So: set max_samples, and say how many rows stood for the background.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="100 of 500"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import shap

print(f"{len(shap.maskers.Independent(np.arange(500.0)[:, None]).data)} of 500")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
