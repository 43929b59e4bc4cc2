#!/usr/bin/env bash
# ml_dtypes 0.6.0, NumPy 2.4.6
# One would guess: the sum of ten weights of 7 in int4 is 70 and their mean 7, as in int8
# What happens: sums stay int4 and wrap around: 6, and a mean of 0
# So: weights of four bits are widened before anything is computed of them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 0.0; 70 7.0;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import ml_dtypes
import numpy as np
for dtype in ml_dtypes.int4, np.int8:
    sevens = np.full(10, 7, dtype)
    print(int(sevens.sum()), float(sevens.mean()), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
