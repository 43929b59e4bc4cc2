#!/usr/bin/env bash
# nilearn 0.13.1, scikit-learn 1.9.1
# One would guess: ConnectivityMeasure(kind='correlation') of one recording is np.corrcoef of it.
# What happens: covariances are shrunk first (Ledoit-Wolf): of 20 signals over 100 frames a correlation of 0.95 comes out far smaller.
# So: such a matrix is no baseline of pairwise correlation, unless EmpiricalCovariance() is given.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="NumPy 0.95, default 0.30, with EmpiricalCovariance 0.95"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nilearn==0.13.1 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from nilearn.connectome import ConnectivityMeasure
from sklearn.covariance import EmpiricalCovariance

x = np.random.default_rng(0).normal(size=(100, 20))
x[:, 1] = 0.9 * x[:, 0] + 0.3 * x[:, 1]
plain = np.corrcoef(x.T)[0, 1]
default = ConnectivityMeasure(kind="correlation").fit_transform([x])[0][0, 1]
empirical = ConnectivityMeasure(kind="correlation", cov_estimator=EmpiricalCovariance()).fit_transform([x])[0][0, 1]
print(f"NumPy {plain:.2f}, default {default:.2f}, with EmpiricalCovariance {empirical:.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
