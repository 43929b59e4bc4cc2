#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: every second sample of a constant of 1, after decimate, is 1
# What happens: it is 0.989: the filter's ripple stands at frequency 0, twice over; resample_poly gives 0.75 and 1.07 at the ends, where it takes zeros to lie beyond; ftype='fir' keeps the middle at 1
# So: a constant is tried first, and ends are cut off
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.989 1.000 0.75 1.07"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.signal import decimate, resample_poly
x = np.ones(200)
print(f"{decimate(x, 2)[50]:.3f} {decimate(x, 2, ftype='fir')[50]:.3f}", *resample_poly(x, 1, 2)[:2].round(2), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
