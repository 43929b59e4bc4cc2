#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: a smoothing spline of one noisy curve is the same curve in volts and in millivolts
# What happens: without s it may miss the points by a sum of squares of their number, whatever their size: 50 points of a sine of 0.1 become one cubic, which misses the curve by a fifth of its height, and the same a thousand times as large a line through every point's noise, with more than 40 knots
# So: weights of one over the noise are given, or s is; make_smoothing_spline chooses by the data
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 43 0.2 True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.interpolate import UnivariateSpline, make_smoothing_spline
t = np.linspace(0, 1, 50)
y = 0.1 * (np.sin(6 * t) + 0.3 * np.random.default_rng(0).normal(size=50))
for unit in 1, 1000:
    print(len(UnivariateSpline(t, y * unit).get_knots()), end=" ")
clean = 0.1 * np.sin(6 * t)
print(f"{np.abs(UnivariateSpline(t, clean)(t) - clean).max() / 0.1:.1f}", end=" ")
print(np.allclose(make_smoothing_spline(t, y)(t) * 1000, make_smoothing_spline(t, y * 1000)(t)), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
