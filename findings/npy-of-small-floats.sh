#!/usr/bin/env bash
# ml_dtypes 0.6.0, NumPy 2.4.6
# One would guess: an array of bfloat16 or of an 8-bit float comes back from np.save and np.load as it was, or is refused
# What happens: bfloat16 comes back as two raw bytes a number (V2) and float8_e4m3fn as one (V1), without a word: which type it was stands nowhere in the file; float8_e5m2 is written, and np.load refuses the file
# So: arrays of small floats are saved as float32, or in a format that knows them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="|V2 |V1 refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import ml_dtypes
import numpy as np
for dtype in ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2:
    np.save("a.npy", np.ones(3, dtype))
    try:
        print(np.load("a.npy").dtype.str, end=" ")
    except ValueError:
        print("refused", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
