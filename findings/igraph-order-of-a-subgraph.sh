#!/usr/bin/env bash
# igraph 1.0.0
# One would guess: the vertices of a subgraph stand in the order in which they were asked for
# What happens: they stand in the order of the whole graph: 5, 2, 0 come as 0, 2, 5
# So: what belongs to vertices is an attribute of them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['0', '2', '5']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
graph = igraph.Graph.Ring(6)
graph.vs["name"] = [str(i) for i in range(6)]
print(graph.subgraph([5, 2, 0]).vs["name"])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
