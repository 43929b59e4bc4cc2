#!/usr/bin/env bash
# igraph 1.0.0
# One would guess: a graph made from the matrix of a graph is that graph
# What happens: a loop of an undirected graph is 2 in get_adjacency, and a 2 is two loops in Adjacency: each time there and back doubles it: 2, 3, 5 and 9 edges
# So: weights and loops are carried as a list of edges
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 3 5 9"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
graph = igraph.Graph(edges=[(0, 0), (0, 1)])
for _ in range(4):
    print(graph.ecount(), end=" ")
    graph = igraph.Graph.Adjacency(graph.get_adjacency().data, mode="undirected")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
