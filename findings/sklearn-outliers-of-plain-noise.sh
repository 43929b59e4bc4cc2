#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: of a thousand points of one normal distribution few are outliers, in all detectors alike
# What happens: by default IsolationForest names about a fifth, LocalOutlierFactor about a hundredth, and OneClassSVM a half, which is its setting nu
# So: the share is given, or scores are compared with those of noise
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.20 0.00 0.50"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM
x = np.random.default_rng(0).normal(size=(1000, 2))
for model in IsolationForest(random_state=0), LocalOutlierFactor(), OneClassSVM():
    print(f"{round((model.fit_predict(x) < 0).mean() * 20) / 20:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
