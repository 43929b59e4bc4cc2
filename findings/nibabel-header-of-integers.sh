#!/usr/bin/env bash
# nibabel 5.4.2
# One would guess: floats saved with the header of another image stay floats.
# What happens: where that image held int16, they are rounded to 65,536 levels over their range: one large value wipes out the rest.
# So: set_data_dtype before saving what was computed.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="int16; distinct small values 7 before, 1 after"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nibabel==5.4.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nibabel
import numpy as np

source = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
values = np.random.default_rng(0).normal(size=(2, 2, 2))
values[0, 0, 0] = 1e6
nibabel.save(nibabel.Nifti1Image(values, source.affine, source.header), "out.nii")
read = nibabel.load("out.nii")
after = read.get_fdata().ravel()[1:]
print(f"{read.get_data_dtype()}; distinct small values {len(set(values.ravel()[1:]))} before, {len(set(after))} after")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
