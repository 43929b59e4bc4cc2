#!/usr/bin/env bash
# igraph 1.0.0, NumPy 2.4.6
# One would guess: Graph.Adjacency makes an edge wherever the matrix is not 0, or keeps the numbers as weights
# What happens: an entry is the number of edges: 2 makes two, 2.7 makes two, and 0.5 none, without a word; Weighted_Adjacency keeps weights
# So: matrices of weights go through Weighted_Adjacency, and those of synapse counts are compared with 0 first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 [2.0] 2 [2.7] 0 [0.5]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph, numpy as np
for weight in 2, 2.7, 0.5:
    matrix = np.array([[0, weight], [0, 0]])
    print(igraph.Graph.Adjacency(matrix).ecount(), igraph.Graph.Weighted_Adjacency(matrix).es["weight"], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
