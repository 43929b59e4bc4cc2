#!/usr/bin/env bash
# SciPy 1.17.1, astropy 8.0.2, NumPy 2.4.6
# One would guess: circstd of the same angles is one number in SciPy and astropy, and its square is circvar
# What happens: SciPy's is the root of -2 ln R and astropy's the root of 2 (1 - R) by default: 2.02 and 1.32 for angles that hardly agree; the variance is 1 - R in both, 0.87, and the square of neither
# So: the resultant length R is stated, from which each can be had
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.89 1.29 0.83 0.83"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 astropy==8.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import scipy.stats
from astropy.stats import circstd, circvar
angles = np.random.default_rng(0).vonmises(0, 0.3, 1000)
print(f"{scipy.stats.circstd(angles):.2f} {circstd(angles):.2f} {scipy.stats.circvar(angles):.2f} {circvar(angles):.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
