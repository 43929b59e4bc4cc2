#!/usr/bin/env bash
# scikit-dimension 0.5.0
# One would guess: the maximum-likelihood dimension of points that stand twice in the data is that of the points, or NaN.
# What happens: it is 0: the distance to the copy is 0, and the mean over points is drawn to 0 with it.
# So: take out copies before a dimension is estimated: images and prompts have some.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.0 of each point once, 0.0 of each point twice"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-dimension==0.5.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import skdim

points = np.zeros((500, 5))
points[:, :2] = np.random.default_rng(0).normal(size=(500, 2))
once, twice = (skdim.id.MLE().fit(data).dimension_ for data in (points, np.concatenate([points, points])))
print(f"{once:.1f} of each point once, {twice:.1f} of each point twice")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
