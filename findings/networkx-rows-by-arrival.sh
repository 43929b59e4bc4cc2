#!/usr/bin/env bash
# networkx 3.6.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: row 0 of a graph's matrix is node 0
# What happens: rows stand in the order in which nodes turned up: of the edges 2-0 and 1-2 row 0 is node 2, in to_numpy_array and adjacency_matrix alike; nodelist=sorted(graph) puts them in order
# So: nodelist= is given, or nodes are added in order before edges
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[2.0, 1.0, 1.0] [1.0, 1.0, 2.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
graph = nx.Graph([(2, 0), (1, 2)])
for settings in {}, {"nodelist": sorted(graph)}:
    print(nx.to_numpy_array(graph, **settings).sum(1).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
