#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: two classes of equal size are decoded from noise with an accuracy near a half, and by a constant guess with a half
# What happens: with one sample left out at a time it is below 0.35, and 0 for the constant: the class of the sample that is left out is the rarer one in what is left; with stratified folds both are near a half
# So: stratified folds are used, or the accuracy is held against that of shuffled labels
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 0.0 False 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import LeaveOneOut, StratifiedKFold, cross_val_score
from sklearn.svm import SVC
rng = np.random.default_rng(0)
y = np.repeat([0, 1], 15)
for folds in LeaveOneOut(), StratifiedKFold(5):
    noise = np.mean([cross_val_score(SVC(), rng.normal(size=(30, 50)), y, cv=folds).mean() for _ in range(20)])
    print(noise < 0.35, cross_val_score(DummyClassifier(), np.zeros((30, 1)), y, cv=folds).mean(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
