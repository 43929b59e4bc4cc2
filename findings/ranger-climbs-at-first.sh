#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the loss of a quadratic falls, or stays, in the first steps
# What happens: Ranger goes up the gradient for five steps: at a rate of 0.1 a sum of squares rises from 13 to 64, and falls from the sixth step on
# So: the first steps of an optimiser are looked at before a rise at the start is read as a property of the network
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="13.0 18.7 26.2 36.0 48.4 64.3 33.8"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
x = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
optimizer = pytorch_optimizer.Ranger([x], lr=0.1)
for _ in range(7):
    optimizer.zero_grad()
    loss = (x**2).sum()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
