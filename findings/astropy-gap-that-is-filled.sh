#!/usr/bin/env bash
# astropy 8.0.2, NumPy 2.4.6
# One would guess: convolve of a series with a gap has a gap there, and of a constant it is the constant at both ends, or is shorter
# What happens: a missing value (NaN) is filled in from its neighbours without a word, and zeros are taken to lie beyond both ends: 1 becomes 0.67 there; nan_treatment and boundary change both
# So: gaps are marked again after smoothing, and boundary='extend' or None is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 1.5, 3.0, 4.5, 3.0] [0.67, 1.0, 1.0, 1.0, 0.67]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from astropy.convolution import Box1DKernel, convolve
print(convolve(np.array([1.0, 2, np.nan, 4, 5]), Box1DKernel(3)).tolist(), convolve(np.ones(5), Box1DKernel(3)).round(2).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
