#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a linear probe finds a direction whether activations lie around 0 or around 100
# What happens: LinearSVC, and LogisticRegression with solver='liblinear', hold the intercept back as if it were a weight: 99 % or more around 0 become 78 % around 100; SVC(kernel='linear') and LogisticRegression as it is have 99 % in both
# So: activations are centred first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.00 0.78 0.99 0.78 0.99 0.99 0.99 0.99"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 3))
y = x[:, 0] > 0
for probe in LinearSVC(), LogisticRegression(solver="liblinear"), SVC(kernel="linear"), LogisticRegression():
    print(*(f"{probe.fit(x + mean, y).score(x + mean, y):.2f}" for mean in (0, 100)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
