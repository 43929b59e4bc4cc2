#!/usr/bin/env bash
# leidenalg 0.12.0, igraph 1.0.0
# One would guess: find_partition uses the edge attribute `weight`, which igraph's and networkx's own methods and files call so.
# What happens: all edges weigh the same unless `weights="weight"` is given: a complete graph is one group whatever its weights.
# So: give `weights` at each call.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="groups without weights: 1, with weights: 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check leidenalg==0.12.0 igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph
import leidenalg

graph = igraph.Graph.Full(8)
graph.es["weight"] = [10.0 if (edge.source < 4) == (edge.target < 4) else 0.01 for edge in graph.es]
kind = leidenalg.ModularityVertexPartition
plain = leidenalg.find_partition(graph, kind, seed=0)
weighted = leidenalg.find_partition(graph, kind, seed=0, weights="weight")
print(f"groups without weights: {len(plain)}, with weights: {len(weighted)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
