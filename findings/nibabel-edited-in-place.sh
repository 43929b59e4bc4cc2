#!/usr/bin/env bash
# nibabel 5.4.2
# One would guess: save writes what was changed in the array of get_fdata().
# What happens: get_fdata() shows the change, the file holds the old values.
# So: make a new image of the changed array.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="shown 5, saved 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nibabel==5.4.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nibabel
import numpy as np

nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2)), np.eye(4)), "a.nii")
image = nibabel.load("a.nii")
image.get_fdata()[:] = 5
nibabel.save(image, "b.nii")
print(f"shown {image.get_fdata().max():.0f}, saved {nibabel.load('b.nii').get_fdata().max():.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
