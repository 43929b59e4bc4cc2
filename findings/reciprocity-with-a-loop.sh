#!/usr/bin/env bash
# networkx 3.6.1, igraph 1.0.0
# One would guess: the reciprocity of a wiring is one number
# What happens: of a pair that answers each other, one link that is not answered and one neuron that drives itself it is 0.5 in networkx, 0.67 in igraph and 0.75 in igraph with ignore_loops=False: the loop is a link without an answer, no link, or its own answer; without the loop all say 0.67
# So: loops are taken out first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.50 0.67 0.75 0.67 0.67 0.67"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import networkx as nx
for edges in [(0, 1), (1, 0), (0, 2), (2, 2)], [(0, 1), (1, 0), (0, 2)]:
    graph = igraph.Graph(edges=edges, directed=True)
    answers = nx.overall_reciprocity(nx.DiGraph(edges)), graph.reciprocity(), graph.reciprocity(ignore_loops=False)
    print(*(f"{answer:.2f}" for answer in answers), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
