#!/usr/bin/env bash
# ml_dtypes 0.6.0, NumPy 2.4.6
# One would guess: the mean of ones in bfloat16 is 1, as it is in float16, and their standard deviation 0
# What happens: NumPy adds bfloat16 one by one in bfloat16: a sum stops at 256, so that the mean of 1,000 ones is 0.26 and their standard deviation 0.50; float16 gives 1 and 0
# So: weights of bfloat16 are widened before anything is computed of them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="256.0 0.26 0.50; 1000.0 1.00 0.00;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import ml_dtypes
import numpy as np
for dtype in ml_dtypes.bfloat16, np.float16:
    ones = np.ones(1000, dtype)
    print(f"{ones.sum()} {ones.mean():.2f} {ones.std():.2f}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
