#!/usr/bin/env bash
# igraph 1.0.0, networkx 3.6.1
# One would guess: the average clustering of a graph is one number
# What happens: igraph leaves out nodes with fewer than two neighbours by default and networkx counts them as 0: 0.72 and 0.43 for a triangle with two tails; mode='zero' gives 0.43 in igraph
# So: what is done with such nodes is stated, and mode= given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.72 0.43 0.43"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import networkx as nx
edges = [(0, 1), (1, 2), (0, 2), (2, 3), (2, 4)]
graph = igraph.Graph(edges)
print(f"{graph.transitivity_avglocal_undirected():.2f} {nx.average_clustering(nx.Graph(edges)):.2f} {graph.transitivity_avglocal_undirected(mode='zero'):.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
