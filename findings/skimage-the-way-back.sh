#!/usr/bin/env bash
# scikit-image 0.26.0, NumPy 2.4.6
# One would guess: phase_cross_correlation(reference, moved) says how far the second frame has moved: 3 for one moved by 3
# What happens: it says how to move it back: -3
# So: drift of a recording is minus that number
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[-3.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from skimage.registration import phase_cross_correlation
frame = np.random.default_rng(0).random((32, 32))
print(phase_cross_correlation(frame, np.roll(frame, 3, axis=0))[0].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
