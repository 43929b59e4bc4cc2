#!/usr/bin/env bash
# scikit-image 0.26.0, NumPy 2.4.6
# One would guess: an image of nothing but ones is one of nothing but ones after resize, whatever its type
# What happens: integers are divided by the largest number of their type first: ones of int64 become 1.1e-19, of uint16 1.5e-05, of uint8 0.0039, without a word; preserve_range=True keeps them
# So: labels and counts are resized with preserve_range=True and order=0
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.1e-19 1.5e-05 0.0039 1 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from skimage.transform import resize
for kind in "int64", "uint16", "uint8", "float64":
    print(f"{resize(np.ones((4, 4), kind), (8, 8)).max():.2g}", end=" ")
print(resize(np.ones((4, 4), "int64"), (8, 8), preserve_range=True).max())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
