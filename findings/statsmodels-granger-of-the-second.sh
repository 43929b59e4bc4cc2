#!/usr/bin/env bash
# statsmodels 0.15.0, NumPy 2.4.6
# One would guess: grangercausalitytests of the columns x and y tests whether x drives y
# What happens: it tests whether the second column drives the first: where x drives y, p is 0.65 for (x, y) and below 1e-100 for (y, x)
# So: the effect is the first column
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from statsmodels.tsa.stattools import grangercausalitytests
rng = np.random.default_rng(0)
x = rng.normal(size=500)
y = 0.8 * np.roll(x, 1) + 0.5 * rng.normal(size=500)
for columns in (x, y), (y, x):
    result = grangercausalitytests(np.column_stack(columns), [1])
    print(result[1][0]["ssr_ftest"][1] < 1e-100, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
