#!/usr/bin/env bash
# graspologic 3.3.0
# One would guess: the spectral embedding of a symmetric matrix of rank 2 in two dimensions gives the matrix back.
# What happens: the diagonal is replaced first by degrees over n - 1 (diag_aug=True), so that it does not.
# So: diag_aug=False where the diagonal is known, as in matrices of probabilities or similarities.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="as given: more than 0.01 away; diag_aug=False: exact"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graspologic==3.3.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import numpy as np
from graspologic.embed import AdjacencySpectralEmbed

factors = np.random.default_rng(0).uniform(0.1, 0.6, size=(30, 2))
matrix = factors @ factors.T


def away(**how):
    found = AdjacencySpectralEmbed(n_components=2, algorithm="full", **how).fit_transform(matrix)
    return np.abs(found @ found.T - matrix).max()


print(f"as given: {'more than 0.01 away' if away() > 0.01 else 'near'}; diag_aug=False: {'exact' if away(diag_aug=False) < 1e-9 else 'not'}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
