#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6, quantities 0.16.4, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a rectangular kernel of 10 ms is 10 ms wide, or 10 ms to each side, and an alpha kernel of 10 ms peaks at 10 ms
# What happens: sigma is the standard deviation of each kernel: the rectangle is 35 ms wide, and the alpha function peaks at 7.1 ms
# So: widths are multiplied out before rates are compared with those of another library
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="34.7 7.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import quantities as pq
from elephant.kernels import AlphaKernel, RectangularKernel
t = np.arange(-50, 50, 0.1)
print((RectangularKernel(sigma=10 * pq.ms)(t * pq.ms).magnitude > 0).sum() / 10, f"{t[AlphaKernel(sigma=10 * pq.ms)(t * pq.ms).magnitude.argmax()]:.1f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
