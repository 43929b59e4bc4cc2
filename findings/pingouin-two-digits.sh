#!/usr/bin/env bash
# pingouin 0.7.0, NumPy 2.4.6, SciPy 1.17.1, pandas 3.1.1
# One would guess: the interval of a mean of 0.003 lies around 0.003
# What happens: it is 0 to 0: intervals of ttest and compute_bootci are rounded to two digits after the point, whatever the unit; compute_bootci(decimals=6) gives more
# So: losses are multiplied before, or intervals are taken from SciPy
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 0 0 0 0.0026 0.0032"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pingouin==0.7.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pingouin
x = np.random.default_rng(0).normal(0.003, 0.001, 30)
for interval in pingouin.ttest(x, 0)["CI95"].iloc[0], pingouin.compute_bootci(x, func="mean", seed=1), pingouin.compute_bootci(x, func="mean", seed=1, decimals=4):
    print(*(f"{v + 0:g}" for v in interval), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
