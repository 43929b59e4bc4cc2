#!/usr/bin/env bash
# scikit-dimension 0.5.0, NumPy 2.4.6
# One would guess: the dimension of one set of points is one number
# What happens: KNN draws subsets from NumPy's global generator: ten fits give several dimensions
# So: NumPy is seeded before each fit, or another estimator is taken
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-dimension==0.5.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np, skdim
points = np.random.default_rng(0).normal(size=(300, 5))
print(len({float(skdim.id.KNN().fit(points).dimension_) for _ in range(10)}) > 1,
      len({float(skdim.id.MLE().fit(points).dimension_) for _ in range(3)}))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
