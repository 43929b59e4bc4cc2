#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a ridge regression that chooses its penalty on the data explains a line without noise, in any unit
# What happens: RidgeCV chooses among 0.1, 1 and 10: of inputs of 0.001 it explains less than a hundredth, where LassoCV, whose penalties follow the data, and inputs of 1 explain all
# So: inputs are standardised, or alphas are given over many powers of ten
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.00 1.00 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.linear_model import LassoCV, RidgeCV
x = np.random.default_rng(0).normal(size=(100, 1))
for size, method in (0.001, RidgeCV()), (0.001, LassoCV()), (1, RidgeCV()):
    print(f"{method.fit(x * size, x[:, 0]).score(x * size, x[:, 0]):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
