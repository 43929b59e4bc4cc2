#!/usr/bin/env bash
# igraph 1.0.0
# One would guess: a graph in two parts has an infinite diameter and average path, or raises
# What happens: pairs without a path are left out: cutting a chain of six in the middle makes its average path shorter, 2.33 to 1.33, and its diameter 2 instead of 5, without a word; unconn=False gives infinity, or the number of nodes
# So: unconn=False is given, or the parts are counted first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.33 5 2.33 1.33 2 inf"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
chain = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
for edges in chain, chain[:2] + chain[3:]:
    graph = igraph.Graph(edges)
    print(f"{graph.average_path_length():.2f} {graph.diameter()} {graph.average_path_length(unconn=False):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
