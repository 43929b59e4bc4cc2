#!/usr/bin/env bash
# networkit 11.3, networkx 3.6.1
# One would guess: the weight given to addEdge is kept, and a graph of networkx brings its weights along
# What happens: both are 1, without a word: a graph that was not made with weighted=True drops them, and nx2nk takes an attribute only if weightAttr names it
# So: totalEdgeWeight() is compared with the sum of the weights after each conversion
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 1.0 5.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkit==11.3 networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkit, networkx
g = networkit.Graph(2)
g.addEdge(0, 1, 5.0)
n = networkx.Graph()
n.add_edge("b", "a", weight=5.0)
print(g.weight(0, 1), networkit.nxadapter.nx2nk(n).weight(0, 1), networkit.nxadapter.nx2nk(n, weightAttr="weight").weight(0, 1))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
