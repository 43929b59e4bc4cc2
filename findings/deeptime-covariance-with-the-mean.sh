#!/usr/bin/env bash
# deeptime 0.4.5, NumPy 2.4.6
# One would guess: the covariance of two independent columns around 5 is near 0
# What happens: the mean is not subtracted by default: 24.7 beside a diagonal of 25.8, unless remove_data_mean=True
# So: remove_data_mean=True is given, or the mean subtracted first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[25.8, 24.7], [24.7, 25.7]] [[1.0, 0.0], [0.0, 1.0]] [[1.0, 0.0], [0.0, 1.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check deeptime==0.4.5 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from deeptime.covariance import Covariance
data = np.random.default_rng(0).normal(5, 1, (1000, 2))
for centred in False, True:
    print(abs(Covariance(remove_data_mean=centred).fit_fetch(data).cov_00).round(1).tolist(), end=" ")
print(abs(np.cov(data.T)).round(1).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
