#!/usr/bin/env bash
# pysindy 2.1.0, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: an oscillation is found with its rate, in whatever unit time is given
# What happens: coefficients below 0.1 are dropped by default: at a rate of 1 a minute it is found, at 0.017 a second, which is the same, the model is that nothing moves
# So: time is scaled to a rate near 1, or the threshold is set to it
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[0.0, 0.0, 1.0], [0.0, -1.0, 0.0]] [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pysindy==2.1.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pysindy as ps
t = np.linspace(0, 10, 1001)
x = np.c_[np.cos(t), -np.sin(t)]
for unit in 1, 60:
    model = ps.SINDy(feature_library=ps.PolynomialLibrary(degree=1))
    model.fit(x, t=t * unit)
    print((model.coefficients().round(2) + 0).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
