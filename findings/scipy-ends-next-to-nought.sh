#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: a median filter leaves a ramp as it is, and a smoothed constant is constant
# What happens: medfilt and wiener take zeros to lie beyond the ends: a ramp from 1 to 10 ends in 8, 8, and a constant of 1 at 0.87; median_filter of the same library reflects what is there, and the ramp ends in 9, 9
# So: the ends of a smoothed loss are left out
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="8.0 8.0 0.87 9.0 9.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import medfilt, wiener
ramp = np.arange(1.0, 11.0)
print(*medfilt(ramp, 5)[-2:].tolist(), f"{wiener(np.ones(5))[-1]:.2f}", *median_filter(ramp, 5)[-2:].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
