#!/usr/bin/env bash
# pydicom 3.0.2, NumPy 2.4.6
# One would guess: pixel_array is what the file means: with a slope of 2 and an intercept of -10, 1 is -8
# What happens: it is the stored number, 1; apply_modality_lut gives -8
# So: values that are compared between files go through apply_modality_lut
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 2, 3, 4] [-8.0, -6.0, -4.0, -2.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydicom==3.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut
image = Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
image.Rows = image.Columns = 2
image.BitsAllocated = image.BitsStored = 16
image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
image.PhotometricInterpretation = "MONOCHROME2"
image.RescaleSlope, image.RescaleIntercept = 2, -10
image.PixelData = np.array([1, 2, 3, 4], np.uint16).tobytes()
print(image.pixel_array.ravel().tolist(), apply_modality_lut(image.pixel_array, image).ravel().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
