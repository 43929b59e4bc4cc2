#!/usr/bin/env bash
# csaps 1.3.3, NumPy 2.4.6
# One would guess: csaps(x, y, xi) gives the smoothed values at xi, with or without a stated smoothing
# What happens: without one it gives a pair of values and the smoothing that it chose, and that choice keeps 0.64 of the variance of white noise; with smooth= it gives the values alone
# So: what was smoothed is read from .values
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="AutoSmoothingResult ndarray 0.64"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check csaps==1.3.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from csaps import csaps
x = np.linspace(0, 1, 50)
noise = np.random.default_rng(0).normal(size=50)
a, b = csaps(x, noise, x), csaps(x, noise, x, smooth=0.5)
print(type(a).__name__, type(b).__name__, round(float(np.var(a.values) / np.var(noise)), 2))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
