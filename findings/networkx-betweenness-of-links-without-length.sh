#!/usr/bin/env bash
# networkx 3.6.1, NumPy 2.4.6
# One would guess: a betweenness is between 0 and 1, and in a full graph the same for all
# What happens: where links have a length of 0 paths are counted wrongly: in a triangle of such links it is 1.33, 0.67 and 0, by the order of the nodes; with lengths of 1 it is 0 for all
# So: no link has a weight of 0 as its length: it is left out, or given a small length
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.33, 0.67, 0.0] [0.0, 0.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
for length in 0.0, 1.0:
    graph = nx.complete_graph(3)
    nx.set_edge_attributes(graph, length, "weight")
    print([round(share, 2) for share in nx.betweenness_centrality(graph, weight="weight").values()], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
