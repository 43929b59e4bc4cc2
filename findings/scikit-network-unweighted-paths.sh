#!/usr/bin/env bash
# scikit-network 0.33.5
# One would guess: distances in a weighted graph are sums of its weights
# What happens: get_distances counts edges; weights of 5 and 1 are one step each, and triangles are counted so too
# So: lengths of paths in a wiring say what length an edge has
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 1 2 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-network==0.33.5 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy import sparse
from sknetwork.path import get_distances
from sknetwork.topology import count_triangles
weights = sparse.csr_matrix(np.array([[0, 5.0, 0], [5, 0, 1], [0, 1, 0]]))
triangle = sparse.csr_matrix(5.0 * (1 - np.eye(3)))
print(*get_distances(weights, 0), count_triangles(triangle))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
