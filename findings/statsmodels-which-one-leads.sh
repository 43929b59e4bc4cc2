#!/usr/bin/env bash
# statsmodels 0.15.0
# One would guess: ccf(x, y)[k] relates x to y k steps later: where x leads by 3, the peak is at 3.
# What happens: it relates y to x k steps later: nothing is seen, and ccf(y, x) has the peak.
# So: the series that follows comes first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="x leads by 3: ccf(x, y)[3] = 0.0, ccf(y, x)[3] = 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from statsmodels.tsa.stattools import ccf

x = np.random.default_rng(0).normal(size=2000)
y = np.roll(x, 3)
print(f"x leads by 3: ccf(x, y)[3] = {abs(ccf(x, y)[3]):.1f}, ccf(y, x)[3] = {ccf(y, x)[3]:.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
