#!/usr/bin/env bash
# igraph 1.0.0
# One would guess: community_leiden() without arguments finds two groups of five that are joined by one edge, as other methods do.
# What happens: it finds ten, each node alone: its default is not the modularity but the constant Potts model, at resolution 1.
# So: say objective_function="modularity", or choose a resolution.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="leiden 10, leiden of the modularity 2, multilevel 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph

graph = igraph.Graph.Full(5) + igraph.Graph.Full(5)
graph.add_edge(0, 5)
plain, chosen = graph.community_leiden(), graph.community_leiden(objective_function="modularity")
print(f"leiden {len(plain)}, leiden of the modularity {len(chosen)}, multilevel {len(graph.community_multilevel())}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
