#!/usr/bin/env bash
# simpleitk 2.5.7, NumPy 2.4.6
# One would guess: 200 + 100 of an image of 8 bits is 300 or 255
# What happens: it is 44, without a word, and twice the image is 144; a division gives float64
# So: images are cast before they are added
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="44 144 50.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check simpleitk==2.5.7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, SimpleITK as sitk
image = sitk.GetImageFromArray(np.full((2, 3), 200, np.uint8))
print(*[sitk.GetArrayFromImage(each).max().item() for each in (image + 100, image * 2, image / 4)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
