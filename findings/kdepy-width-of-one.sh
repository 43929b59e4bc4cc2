#!/usr/bin/env bash
# KDEpy 1.1.12, NumPy 2.4.6
# One would guess: a density without a stated bandwidth takes one from the data, as SciPy's does
# What happens: the bandwidth is 1: 1,000 losses with a spread of 0.01 have a density whose peak is 0.40 instead of 40, unless bw='silverman' or 'ISJ'
# So: the bandwidth is named at each call
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.4 40.3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kdepy==1.1.12 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from KDEpy import FFTKDE
x = np.random.default_rng(0).normal(0, 0.01, 1000)
print(*[round(float(FFTKDE(**options).fit(x).evaluate()[1].max()), 1) for options in ({}, {"bw": "silverman"})])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
