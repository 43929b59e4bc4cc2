#!/usr/bin/env bash
# persim 0.4.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the image of a diagram shows a point that is born at 5 and dies at 6
# What happens: transform without fit shows births and lifetimes from 0 to 1: the point is outside, and the image is empty but for the rim of a blur
# So: ranges are set, or fit is called on all diagrams
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check persim==0.4.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from persim import PersistenceImager
imager, point = PersistenceImager(), np.array([[5.0, 6.0]])
before = imager.transform(point).sum()
imager.fit(np.array([[4.0, 4.5], [6.0, 7.5]]))
print(bool(before < 1e-4), bool(imager.transform(point).sum() > 0.1))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
