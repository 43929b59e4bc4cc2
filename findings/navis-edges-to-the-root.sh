#!/usr/bin/env bash
# navis 1.12.0, networkx 3.6.1
# One would guess: the directed graph of a neuron leads from its soma to its tips
# What happens: its edges lead from each point to its parent: nothing can be reached from the soma, and the soma from everywhere
# So: the graph is reversed before signals are sent along it
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[(2, 1), (3, 2)] 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check navis==1.12.0 networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
open("neuron.swc", "w").write("1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 0 0 1 2\n")
import warnings
warnings.simplefilter("ignore")
import navis
graph = navis.neuron2nx(navis.read_swc("neuron.swc"))
print(sorted((int(a), int(b)) for a, b in graph.edges), len(nx.descendants(graph, 1)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
