#!/usr/bin/env bash
# igraph 1.0.0, pandas 3.1.1, NumPy 2.4.6
# One would guess: a table of edges between the neurons 10, 12 and 14 makes a graph of three
# What happens: numbers are places: the graph has fifteen vertices, of which twelve have no edge, and densities and averages are taken over all; use_vids=False makes three that are named
# So: use_vids=False is set, or neurons are named by text
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="15 0.01 3 0.33"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 pandas==3.1.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import pandas as pd
edges = pd.DataFrame({"source": [10, 12], "target": [12, 14]})
for settings in {}, {"use_vids": False}:
    graph = igraph.Graph.DataFrame(edges, **settings)
    print(graph.vcount(), f"{graph.density():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
