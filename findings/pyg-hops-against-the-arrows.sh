#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0, NumPy 2.4.6
# One would guess: k_hop_subgraph(0, 1) of an edge 0 -> 1 holds 0 and 1
# What happens: it holds 0 alone: nodes are added that send to it, so that the subgraph of 1 holds both; flow='target_to_source' follows the arrows
# So: the flow is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0] [0, 1] [0, 1] [0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-geometric==2.8.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_geometric.utils import k_hop_subgraph
edges = torch.tensor([[0], [1]])
print(*[k_hop_subgraph(node, 1, edges, num_nodes=2, flow=flow)[0].tolist() for node, flow in ((0, "source_to_target"), (1, "source_to_target"), (0, "target_to_source"))], k_hop_subgraph(0, 1, edges, num_nodes=2)[0].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
