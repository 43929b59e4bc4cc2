#!/usr/bin/env bash
# torch-pruning 1.6.1, torch 2.13.0
# One would guess: pruning_ratio=0.5 leaves half of the parameters.
# What happens: it is the share of channels: between two pruned layers a quarter of the weights is left, 30 % of this network.
# So: count parameters after it, or choose 1 - sqrt(share).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1476 of 4996 parameters"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-pruning==1.6.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
import torch_pruning

torch.manual_seed(0)
layers = torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4)
model = torch.nn.Sequential(*layers)


def parameters():
    return sum(parameter.numel() for parameter in model.parameters())


before = parameters()
importance = torch_pruning.importance.MagnitudeImportance()
torch_pruning.pruner.MagnitudePruner(
    model, torch.zeros(1, 8), importance, pruning_ratio=0.5, ignored_layers=[model[4]]
).step()
print(f"{parameters()} of {before} parameters")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
