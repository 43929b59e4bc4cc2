#!/usr/bin/env bash
# giotto-tda 0.6.2, scikit-learn 1.3.2
# One would guess: the persistence diagram of a circle has one loop, whatever was fitted beside it
# What happens: beside a cloud with three loops it has three: diagrams are filled up with points that die as they are born, and NumberOfPoints is the way to count
# So: points are counted where death is above birth
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1; 3 1;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check giotto-tda==0.6.2 scikit-learn==1.3.2 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from gtda.homology import VietorisRipsPersistence
angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
circle = np.column_stack([np.cos(angles), np.sin(angles)])
cloud = np.random.default_rng(0).normal(size=(20, 2))
for clouds in [circle], [circle, cloud]:
    diagram = VietorisRipsPersistence(homology_dimensions=(0, 1)).fit_transform(clouds)[0]
    loops = diagram[diagram[:, 2] == 1]
    print(len(loops), int((loops[:, 1] > loops[:, 0]).sum()), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
