#!/usr/bin/env bash
# igraph 1.0.0, networkx 3.6.1
# One would guess: two nodes that are cut off from all others are the least close to them
# What happens: igraph counts within a node's own part: of a chain of four and a pair apart, the pair has a closeness of 1 and the middle of the chain 0.75; networkx weights it by the size of the part: 0.2 and 0.45
# So: parts are compared within themselves, or harmonic centrality is taken
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.00 0.75 0.20 0.45"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import networkx as nx
edges = [(0, 1), (1, 2), (2, 3), (4, 5)]
for closeness in igraph.Graph(edges=edges).closeness(), nx.closeness_centrality(nx.Graph(edges)):
    print(f"{closeness[4]:.2f} {closeness[1]:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
