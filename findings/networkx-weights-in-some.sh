#!/usr/bin/env bash
# networkx 3.6.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: an edge attribute called weight is used by all centralities, or by none
# What happens: pagerank, hits, modularity and the Laplacian use it by default; betweenness, closeness, eigenvector, Katz and subgraph centrality, communicability and clustering do not: in one table some columns are of the weighted wiring and some of the plain one
# So: weight= is named at each call, and left out on purpose
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1 0 0 0 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
import numpy as np
A = np.array([[0, 1, 5, 0], [1, 0, 1, 1], [5, 1, 0, 0], [0, 1, 0, 0.0]])
graphs = [nx.from_numpy_array(a) for a in (A, (A > 0) * 1.0)]
for f in nx.pagerank, lambda g: nx.hits(g)[0], nx.betweenness_centrality, nx.eigenvector_centrality_numpy, nx.katz_centrality, nx.subgraph_centrality, nx.clustering:
    a, b = (f(g) for g in graphs)
    print(int(not np.allclose([a[k] for k in range(4)], [b[k] for k in range(4)])), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
