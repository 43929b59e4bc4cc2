#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0, NumPy 2.4.6
# One would guess: of a graph that holds each edge in both directions, a link that is held out for the test is in no direction among the training edges
# What happens: directions are split on their own: most links of the test are in the training set the other way around, unless is_undirected=True
# So: is_undirected is set wherever both directions are listed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-geometric==2.8.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import RandomLinkSplit
torch.manual_seed(0)
ring = torch.stack([torch.arange(100), (torch.arange(100) + 1) % 100])
data = Data(edge_index=torch.cat([ring, ring.flip(0)], 1), num_nodes=100)
for options in {}, {"is_undirected": True}:
    train, _, test = RandomLinkSplit(num_val=0.1, num_test=0.2, **options)(data)
    seen = set(map(tuple, train.edge_index.t().tolist()))
    held = [edge for edge, label in zip(test.edge_label_index.t().tolist(), test.edge_label.tolist()) if label]
    print(sum((b, a) in seen for a, b in held) > len(held) / 2, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
