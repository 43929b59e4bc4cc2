#!/usr/bin/env bash
# gplearn 0.4.3
# One would guess: `div` in a formula that symbolic regression found is a division.
# What happens: it is 1 wherever the divisor lies within 0.001 of 0; `inv` is 0 there, and `sqrt` and `log` take absolute values.
# So: write a formula down with these conventions, or it is another one near 0 and for negative numbers.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="div(5, 0.0005) = 1.0, inv(0.0005) = 0.0, sqrt(-4) = 2.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gplearn==0.4.3 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1 joblib==1.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from gplearn.functions import div2, inv1, sqrt1

small = np.array([0.0005])
print(f"div(5, 0.0005) = {div2(np.array([5.0]), small)[0]}, inv(0.0005) = {inv1(small)[0]}, sqrt(-4) = {sqrt1(np.array([-4.0]))[0]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
