#!/usr/bin/env bash
# torch_geometric 2.8.1, torch 2.13.0
# One would guess: a batch of two graphs joins an attribute of one's own, [0, 1, 2] in each, to [0, 1, 2, 0, 1, 2].
# What happens: so it does, but for attributes with `index` or `batch` in their names: they are taken for indices, and shifted.
# So: choose other names, or define `__inc__`.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="neuron: [0, 1, 2, 0, 1, 2], neuron_index: [0, 1, 2, 3, 4, 5], batch_size_used: [4, 9]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch_geometric==2.8.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_geometric.data import Batch, Data


def graph():
    edges, numbers = torch.tensor([[0], [1]]), torch.arange(3)
    return Data(x=torch.zeros(3, 1), edge_index=edges, neuron=numbers, neuron_index=numbers, batch_size_used=torch.tensor([4]))


both = Batch.from_data_list([graph(), graph()])
print(", ".join(f"{name}: {both[name].tolist()}" for name in ("neuron", "neuron_index", "batch_size_used")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
