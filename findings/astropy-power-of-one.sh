#!/usr/bin/env bash
# astropy 8.0.2, NumPy 2.4.6
# One would guess: the power of a Lomb-Scargle periodogram is that of the oscillation: a hundred times as large for ten times the amplitude
# What happens: it is a share of the variance between 0 and 1 by default: 1.0 for both; normalization='psd' has the unit
# So: amplitudes of oscillations are compared with normalization='psd'
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 26 1.0 2565"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from astropy.timeseries import LombScargle
t = np.sort(np.random.default_rng(0).random(100) * 10)
for size in 1, 10:
    y = size * np.sin(2 * np.pi * t)
    print(round(float(LombScargle(t, y).power(1.0)), 2), round(float(LombScargle(t, y, normalization="psd").power(1.0))), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
