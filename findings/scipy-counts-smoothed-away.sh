#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: a Gaussian filter over counts of spikes gives rates
# What happens: the result has the type of the counts: of a spike among zeros every value is 0 as an integer, where 0.2 is the peak as a float, without a word; gaussian_filter1d, uniform_filter1d and the others of ndimage alike
# So: counts are made floats before they are smoothed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 1.0 0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
counts = np.zeros(21, int)
counts[10] = 1
for smooth, size in (gaussian_filter1d, 2), (uniform_filter1d, 3):
    print(smooth(counts, size).sum(), round(smooth(counts.astype(float), size).sum(), 2), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
