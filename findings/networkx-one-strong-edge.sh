#!/usr/bin/env bash
# networkx 3.6.1, bctpy 0.6.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the weighted clustering of a neuron in a triangle does not change when a strong connection is added elsewhere
# What happens: networkx divides all weights by the largest of the graph: the clustering of 1 becomes 0.001 once an edge of 1000 hangs on another neuron; bctpy leaves weights as they are, and has 1 in both
# So: weights are scaled before, by a number that is stated, and clustering of two wirings is compared in one scale
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.000 1.000 0.001 1.000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 bctpy==0.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bct
import networkx as nx
import numpy as np
A = np.zeros((4, 4))
A[0, 1] = A[1, 2] = A[0, 2] = 1
for strength in 0, 1000:
    A[2, 3] = strength
    S = A + A.T
    print(f"{nx.clustering(nx.from_numpy_array(S), weight='weight')[0]:.3f} {bct.clustering_coef_wu(S)[0]:.3f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
