#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0, NumPy 2.4.6
# One would guess: the mean and the largest value over a graph that has no nodes are NaN or -inf, or raise
# What happens: they are 0, which is larger than any value of the graphs beside it where those are negative
# So: graphs are counted before they are pooled
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[-1.0, 0.0, -3.0] [-1.0, 0.0, -3.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-geometric==2.8.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_geometric.nn import global_max_pool, global_mean_pool
x, graph = torch.tensor([[-1.0], [-3.0]]), torch.tensor([0, 2])
print(global_mean_pool(x, graph).ravel().tolist(), global_max_pool(x, graph).ravel().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
