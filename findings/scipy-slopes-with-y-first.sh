#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: slopes of one module take x and then y
# What happens: linregress does, theilslopes and siegelslopes take y and then x: for y = 2x + 1 the same call gives 2 and 0.5, without a word
# So: arguments are named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.0 0.5 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.stats import linregress, siegelslopes, theilslopes
x = np.arange(10.0)
y = 2 * x + 1
print(*(round(float(f(x, y)[0]), 2) for f in (linregress, theilslopes, siegelslopes)), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
