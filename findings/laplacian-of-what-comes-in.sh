#!/usr/bin/env bash
# SciPy 1.17.1, networkx 3.6.1, igraph 1.0.0, NumPy 2.4.6
# One would guess: the Laplacian of a directed graph is one matrix
# What happens: its diagonal counts what comes in in SciPy and what goes out in networkx and igraph: 0 1 2 and 2 1 0 for the links 0-1, 0-2 and 1-2, so that rows sum to 0 in two of them and columns in the third; use_out_degree=True gives theirs
# So: it is said which degree is meant
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0, 1, 2] [2, 1, 0] [2, 1, 0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 networkx==3.6.1 igraph==1.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import networkx as nx
import numpy as np
from scipy.sparse import csgraph
edges = [(0, 1), (0, 2), (1, 2)]
graph = nx.DiGraph(edges)
matrices = csgraph.laplacian(nx.to_numpy_array(graph)), nx.laplacian_matrix(graph).toarray(), igraph.Graph(edges=edges, directed=True).laplacian()
print(*(np.diag(matrix).astype(int).tolist() for matrix in matrices))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
