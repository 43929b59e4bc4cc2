#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a linear probe finds what a single activation says, whatever the size of activations
# What happens: LogisticRegression is held back by default (C=1): with activations of 0.001 its accuracy is that of always saying no, 0.79, with the same times a thousand 0.99: layers of small activations seem to hold nothing
# So: activations are standardised first, or C is chosen on data held out
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.79 0.99 0.79"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.linear_model import LogisticRegression
X = np.random.default_rng(8).normal(size=(2000, 5))
X[:, 1] += 2
y = X[:, 0] > 0.8
for size in 0.001, 1:
    score = LogisticRegression().fit(X * size, y).score(X * size, y)
    print(f"{score:.2f}", end=" ")
print(f"{1 - y.mean():.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
