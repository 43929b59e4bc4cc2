#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: singular values of PCA are those of a singular value decomposition.
# What happens: of many samples of few features the covariance is decomposed: what is below 1e-8 of the largest is rounding.
# So: svd_solver='full'.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="the last of 1, 0.1, ..., 1e-9: off by more than half; with svd_solver='full' 1e-09"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.decomposition import PCA

rng = np.random.default_rng(0)
left = rng.normal(size=(5000, 10))
left, _ = np.linalg.qr(left - left.mean(axis=0))
right, _ = np.linalg.qr(rng.normal(size=(10, 10)))
x = left * 10.0 ** -np.arange(10) @ right
default, full = PCA().fit(x).singular_values_[-1], PCA(svd_solver="full").fit(x).singular_values_[-1]
print(
    f"the last of 1, 0.1, ..., 1e-9: {'off by more than half' if abs(default / 1e-9 - 1) > 0.5 else default}; "
    f"with svd_solver='full' {full:.0e}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
