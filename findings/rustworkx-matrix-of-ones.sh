#!/usr/bin/env bash
# rustworkx 0.18.1, NumPy 2.4.6
# One would guess: adjacency_matrix holds the weights that the edges hold: 5
# What happens: it holds the number of edges, 1, unless a function of the weight is given: with float it is 5; edges between the same nodes are added up
# So: weight_fn=float is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[0.0, 1.0], [0.0, 0.0]] [[0.0, 5.0], [0.0, 0.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rustworkx==0.18.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import rustworkx
g = rustworkx.PyDiGraph()
g.add_nodes_from("ab")
g.add_edge(0, 1, 5.0)
print(rustworkx.adjacency_matrix(g).tolist(), rustworkx.adjacency_matrix(g, float).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
