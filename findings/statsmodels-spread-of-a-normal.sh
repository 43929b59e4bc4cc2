#!/usr/bin/env bash
# statsmodels 0.15.0, SciPy 1.17.1, NumPy 2.4.6
# One would guess: mad and iqr are the median absolute deviation and the distance of the quartiles, as SciPy's functions are: 0.67 and 1.35 for a normal distribution
# What happens: both are divided by those numbers by default, so that they are 1 for it: 1.5 and 0.74 times SciPy's
# So: a threshold in such units says which one it is
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 0.67 1.0 1.35"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy import stats
from statsmodels.robust.scale import iqr, mad
x = np.random.default_rng(0).normal(size=100000)
print(*[round(float(v), 2) for v in (mad(x), stats.median_abs_deviation(x), iqr(x), stats.iqr(x))])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
