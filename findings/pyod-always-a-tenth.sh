#!/usr/bin/env bash
# pyod 3.6.7
# One would guess: of data without outliers few are called outliers.
# What happens: contamination is 0.1: a tenth of any data is.
# So: look at decision_scores_, with a control without outliers beside them.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="uniform points: 10.0 % by neighbours, 10.0 % by ECOD"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyod==3.6.7 numpy==2.4.6 scipy==1.16.3 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from pyod.models.ecod import ECOD
from pyod.models.knn import KNN

x = np.random.default_rng(0).uniform(size=(1000, 3))
print(f"uniform points: {KNN().fit(x).labels_.mean():.1%} by neighbours, {ECOD().fit(x).labels_.mean():.1%} by ECOD".replace("%", " %"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
