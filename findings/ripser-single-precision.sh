#!/usr/bin/env bash
# ripser 0.6.15
# One would guess: births and deaths of float64 points, returned as float64, are distances to float64's precision.
# What happens: they are computed in float32: 1e-8 away, so that comparing them with distances for equality fails.
# So: compare with a tolerance of float32's, and scale what is small before.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="float64, deaths among the distances: 0 of 4, within 1e-6: 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ripser==0.6.15 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from ripser import ripser
from scipy.spatial.distance import pdist

points = np.random.default_rng(0).normal(size=(5, 2))
deaths = ripser(points)["dgms"][0][:-1, 1]
gap = np.abs(deaths[:, None] - pdist(points)).min(axis=1)
print(f"{deaths.dtype}, deaths among the distances: {(gap == 0).sum()} of {len(gap)}, within 1e-6: {(gap < 1e-6).sum()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
