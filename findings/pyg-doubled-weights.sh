#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0
# One would guess: to_undirected leaves a weighted graph that is symmetric already as it is.
# What happens: both directions are added up: each weight is doubled.
# So: reduce="mean" (or "max") keeps weights; the default is "add".
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="weights before [1.0, 1.0], after [2.0, 2.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch_geometric==2.8.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_geometric.utils import to_undirected

edges, weights = torch.tensor([[0, 1], [1, 0]]), torch.tensor([1.0, 1.0])
print(f"weights before {weights.tolist()}, after {to_undirected(edges, weights)[1].tolist()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
