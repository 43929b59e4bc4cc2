#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: automatic relevance determination finds the same columns relevant in any unit
# What happens: ARDRegression drops a coefficient whose precision is above 10,000, that is one of below about 0.01: a column that explains 96 % of y has 0 where y is a hundred times as small, or the column a thousand times as large
# So: inputs and outputs are standardised first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.50 0.00 0.50 0.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.linear_model import ARDRegression
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 3))
y = 0.5 * x[:, 0] + rng.normal(0, 0.1, 300)
for inputs, outputs in (1, 1), (1, 0.01), (0.1, 1), (1000, 1):
    print(f"{ARDRegression().fit(x * inputs, y * outputs).coef_[0] * inputs / outputs:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
