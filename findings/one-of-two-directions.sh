#!/usr/bin/env bash
# networkx 3.6.1, igraph 1.0.0, rustworkx 0.18.1, NumPy 2.4.6
# One would guess: a connection of 5 there and 1 back weighs 6, 3 or 5 once the graph is made undirected
# What happens: networkx keeps the one that it comes to last, 1, or 5 if the two neurons are numbered the other way, rustworkx as well, and igraph drops the weights, without a word
# So: the matrix is added to its transpose before a graph is made of it
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 5 1 []"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 rustworkx==0.18.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import networkx as nx
import numpy as np
import rustworkx as rx
A = np.array([[0, 5.0], [1, 0]])
for matrix in A, A.T:
    print(int(nx.from_numpy_array(matrix, create_using=nx.DiGraph).to_undirected()[0][1]["weight"]), end=" ")
print(int(rx.PyDiGraph.from_adjacency_matrix(A).to_undirected(multigraph=False).edges()[0]), igraph.Graph.Weighted_Adjacency(A.tolist()).as_undirected().es.attributes(), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
