#!/usr/bin/env bash
# pyts 0.14.1, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: StandardScaler brings each column to a mean of 0, as scikit-learn's does
# What happens: pyts's scales each row, which is a series: of two neurons of which one is ten times as active both rows are the same after it, also in the pictures that GramianAngularField makes
# So: amplitudes that matter are scaled over the whole set first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyts==0.14.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import sklearn.preprocessing
from pyts.image import GramianAngularField
from pyts.preprocessing import StandardScaler
x = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])
for scaled in (
    StandardScaler().fit_transform(x),
    sklearn.preprocessing.StandardScaler().fit_transform(x),
    GramianAngularField().fit_transform(x),
):
    print(np.allclose(scaled[0], scaled[1]), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
