#!/usr/bin/env bash
# rustworkx 0.18.1
# One would guess: rows of an adjacency matrix are node numbers, and the number of a node that was removed stays free
# What happens: without node 1 the second row is node 2; the next node that is added gets the number 1
# So: neurons are named by names of their own; a list of removed numbers says nothing later
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="edge 2-3 at 1-2, next node 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rustworkx==0.18.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import rustworkx
graph = rustworkx.PyDiGraph()
graph.add_nodes_from(["a", "b", "c", "d"])
graph.add_edge(2, 3, 5.0)
graph.remove_node(1)
matrix = rustworkx.digraph_adjacency_matrix(graph, float)
row, column = (int(place[0]) for place in matrix.nonzero())
print(f"edge 2-3 at {row}-{column}, next node {graph.add_node('e')}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
