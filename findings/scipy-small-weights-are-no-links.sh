#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: in a matrix of weights each entry other than 0 is a link
# What happens: in a dense one what is below 1e-8 counts as 0: of conductances of 1e-9 siemens none is a link, distances are infinite and each node is a part of its own; in a sparse one all are links, and in nanosiemens too
# So: weights are brought to a size of about 1, or given as a sparse matrix
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="inf 3 2e-09 1 2.0 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.sparse import csgraph, csr_array
weights = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]) * 1e-9
for graph in weights, csr_array(weights), weights * 1e9:
    print(csgraph.shortest_path(graph)[0, 2], csgraph.connected_components(graph)[0], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
