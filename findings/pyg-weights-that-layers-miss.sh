#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0, networkx 3.6.1, NumPy 2.4.6
# One would guess: weights of networkx's edges become edge_weight or edge_attr
# What happens: they become an attribute called weight, and edge_attr is None: code that hands on edge_attr works without weights; group_edge_attrs=['weight'] makes edge_attr
# So: the attribute is named, and its sum compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="None False [2.0, 2.0] [2.0, 2.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-geometric==2.8.1 torch==2.13.0 networkx==3.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx
from torch_geometric.utils import from_networkx
graph = networkx.Graph()
graph.add_edge("b", "a", weight=2.0)
data = from_networkx(graph)
print(data.edge_attr, "edge_weight" in data, data.weight.tolist(), from_networkx(graph, group_edge_attrs=["weight"]).edge_attr.ravel().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
