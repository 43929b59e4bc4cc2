#!/usr/bin/env bash
# brainspace 0.3.0
# One would guess: gradients are those of the matrix that was given
# What happens: in each row all but the largest tenth is set to 0 first (sparsity=0.9): the first gradient has little in common with that of the whole matrix
# So: maps of a wiring are made with sparsity=0, or the share that was kept is told
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brainspace==0.3.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from brainspace.gradient import GradientMaps
correlations = np.corrcoef(np.random.default_rng(0).normal(size=(50, 200)))
first = []
for sparsity in {}, {"sparsity": 0.9}, {"sparsity": 0.0}:
    maps = GradientMaps(n_components=2, random_state=0)
    first.append(maps.fit(correlations, **sparsity).gradients_[:, 0])
print(*(abs(np.corrcoef(first[0], other)[0, 1]) > 0.9 for other in first[1:]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
