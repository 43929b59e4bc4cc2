#!/usr/bin/env bash
# statsmodels 0.15.0, SciPy 1.17.1, NumPy 2.4.6
# One would guess: partial autocorrelations lie between -1 and 1
# What happens: those of a smooth series reach 10 by the default method, ywadjusted, without a word: the correction for the number of pairs makes the covariances inconsistent; ywm and ols stay at 1
# So: method='ywm' is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="10.2 1.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from statsmodels.tsa.stattools import pacf
x = np.sin(np.arange(60) * 0.1)
print(*(f"{np.abs(pacf(x, nlags=10, **s)).max():.1f}" for s in ({}, {"method": "ywm"}, {"method": "ols"})), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
