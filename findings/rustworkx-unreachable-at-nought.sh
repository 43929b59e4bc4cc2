#!/usr/bin/env bash
# rustworkx 0.18.1, NumPy 2.4.6
# One would guess: a node that cannot be reached is infinitely far
# What happens: digraph_distance_matrix gives 0, as for the node itself: null_value is 0 by default; digraph_floyd_warshall_numpy gives infinity
# So: null_value=inf is set
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 inf inf"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rustworkx==0.18.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import rustworkx
graph = rustworkx.PyDiGraph()
graph.extend_from_weighted_edge_list([(0, 1, 1.0)])
print(rustworkx.digraph_distance_matrix(graph)[1, 0], end=" ")
print(rustworkx.digraph_distance_matrix(graph, null_value=float("inf"))[1, 0], end=" ")
print(rustworkx.digraph_floyd_warshall_numpy(graph, lambda weight: weight)[1, 0])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
