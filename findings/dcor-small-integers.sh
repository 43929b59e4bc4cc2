#!/usr/bin/env bash
# dcor 0.7
# One would guess: the distance correlation of whole numbers is that of the same numbers as floats, and at most 1.
# What happens: of uint8 it is hundreds of thousands: sums overflow in the numbers' own type, without a word.
# So: convert to float64 before.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="float64 0.97, int64 0.97, uint8 above 1000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dcor==0.7 numpy==2.4.6 scipy==1.17.1 numba==0.68.1 joblib==1.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import dcor
import numpy as np

draw = np.random.default_rng(0)
x = draw.integers(0, 200, size=300)
y = draw.integers(0, 50, size=300) + x
floats, integers, small = (float(dcor.distance_correlation(x.astype(t), y.astype(t))) for t in (float, np.int64, np.uint8))
print(f"float64 {floats:.2f}, int64 {integers:.2f}, uint8 {'above 1000' if small > 1000 else small}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
