#!/usr/bin/env bash
# nilearn 0.14.1, NumPy 2.4.6
# One would guess: sym_matrix_to_vec holds the entries of a matrix
# What happens: those of the diagonal are divided by the root of 2: of ones there, 0.71 is left
# So: triangles are taken by numpy.tril_indices
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.71, 0.5, 0.71]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nilearn==0.14.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from nilearn.connectome import sym_matrix_to_vec
print(sym_matrix_to_vec(np.array([[1.0, 0.5], [0.5, 1.0]])).round(2).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
