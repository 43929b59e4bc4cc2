#!/usr/bin/env bash
# loss-landscapes 3.0.6, torch 2.13.0
# One would guess: a picture of the loss around a network leaves the network as it was.
# What happens: by default (`deepcopy_model=False`) its weights are moved, and stay moved.
# So: give `deepcopy_model=True`, or a copy.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="weights moved: True by default, False with deepcopy_model=True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check loss-landscapes==3.0.6 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import loss_landscapes
import torch
from loss_landscapes.metrics import Loss
from torch import nn

torch.manual_seed(0)
model, x, y = nn.Linear(3, 1), torch.randn(8, 3), torch.randn(8, 1)


def moved(**options):
    before = model.weight.clone()
    loss_landscapes.random_plane(model, Loss(nn.MSELoss(), x, y), distance=1, steps=5, **options)
    return not torch.equal(before, model.weight)


print(f"weights moved: {moved()} by default, {moved(deepcopy_model=True)} with deepcopy_model=True")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
