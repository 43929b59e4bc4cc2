#!/usr/bin/env bash
# simpleitk 2.5.7, NumPy 2.4.6
# One would guess: an array of four axes becomes an image of four dimensions, as one of three becomes a volume
# What happens: the last axis becomes components of a pixel: a film of volumes 2 x 4 x 5 x 3 is a volume 5 x 4 x 2 of colours; isVector=False gives four dimensions
# So: isVector is said
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 (3, 5, 4) 1; 3 (5, 4, 2) 3; 4 (3, 5, 4, 2) 1;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check simpleitk==2.5.7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, SimpleITK as sitk
for shape, options in (((4, 5, 3), {}), ((2, 4, 5, 3), {}), ((2, 4, 5, 3), {"isVector": False})):
    image = sitk.GetImageFromArray(np.zeros(shape), **options)
    print(image.GetDimension(), image.GetSize(), image.GetNumberOfComponentsPerPixel(), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
