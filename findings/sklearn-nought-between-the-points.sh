#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a Gaussian process through twenty points of a sine is near the sine between them, whatever the unit of x
# What happens: without a kernel it fits a length from a start of 1, once: with x from 0 to 1 it ends at the lower bound, 1e-5, and predicts 0 everywhere between the points, without a word; with x from 0 to 10 it is right to two digits
# So: x is scaled so that the length is near 1, n_restarts_optimizer is given, and kernel_ looked at
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.00 0.99 0.99"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
x = np.linspace(0, 1, 20)[:, None]
for unit in 1, 10:
    process = GaussianProcessRegressor().fit(x * unit, np.sin(6 * x[:, 0]))
    print(f"{abs(process.predict([[0.28 * unit]])[0]):.2f}", end=" ")
print(f"{np.sin(6 * 0.28):.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
