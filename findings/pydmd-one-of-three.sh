#!/usr/bin/env bash
# pydmd 2025.8.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a decomposition without a stated rank keeps all that is in data without noise
# What happens: svd_rank=0 cuts by a rule for noise: of three channels without noise one mode is left, and what is given back is off by 40 % of the largest value; svd_rank=-1 keeps all
# So: svd_rank=-1 is given where there is no noise, and the singular values are looked at
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 4e-01 3 3e-15"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydmd==2025.8.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from pydmd import DMD
t = np.linspace(0, 10, 101)
x = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) @ np.exp(-np.outer([0.1, 0.5, 1.0], t))
for model in DMD(), DMD(svd_rank=-1):
    model.fit(x)
    print(model.modes.shape[1], f"{np.abs(model.reconstructed_data - x).max() / np.abs(x).max():.0e}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
