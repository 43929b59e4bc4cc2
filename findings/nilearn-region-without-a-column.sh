#!/usr/bin/env bash
# nilearn 0.14.1, nibabel 5.4.2, NumPy 2.4.6
# One would guess: the time series of three labels are three columns
# What happens: a label that lies outside of the mask has no column: the second of two is that of label 3
# So: columns are named by region_names_, not by the list of labels
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 2.0, 3.0] [1.0, 3.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nilearn==0.14.1 nibabel==5.4.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import nibabel, numpy as np
from nilearn.maskers import NiftiLabelsMasker
regions = np.zeros((8, 6, 6), "i4")
regions[0:2], regions[2:4], regions[4:6] = 1, 2, 3
film = np.repeat(regions[..., None].astype(float), 4, axis=3)
atlas, film, mask = (nibabel.Nifti1Image(a, np.eye(4)) for a in (regions, film, (regions != 2).astype("u1")))
for given in {}, {"mask_img": mask}:
    print(NiftiLabelsMasker(atlas, **given).fit_transform(film)[0].tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
