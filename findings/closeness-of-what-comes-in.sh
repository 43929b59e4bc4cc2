#!/usr/bin/env bash
# networkx 3.6.1, igraph 1.0.0, rustworkx 0.18.1
# One would guess: in a chain 0 -> 1 -> 2 the first node, which reaches all others, has the highest closeness
# What happens: in networkx and rustworkx it has 0: distances to a node count, not from it; in igraph directions are left out by default, and the middle one is highest; mode='out' is what was meant
# So: the direction is stated with the number
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 0.5, 0.67] [0.0, 0.5, 0.67] [0.67, 1.0, 0.67] [0.67, 1.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 rustworkx==0.18.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph, networkx, rustworkx
chain = networkx.path_graph(3, create_using=networkx.DiGraph)
other = igraph.Graph([(0, 1), (1, 2)], directed=True)
third = rustworkx.generators.directed_path_graph(3)
for values in networkx.closeness_centrality(chain).values(), dict(rustworkx.closeness_centrality(third)).values(), other.closeness(), other.closeness(mode="out")[:2]:
    print([round(v, 2) for v in values], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
