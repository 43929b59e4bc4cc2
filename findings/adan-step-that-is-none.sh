#!/usr/bin/env bash
# adan-pytorch 0.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a network has moved after the first step of an optimiser
# What happens: the first step of Adan leaves every weight where it was, unless there is weight decay: only gradients are stored; step 1 of a trajectory is step 0, and a weight decay of 0.1 with a rate of 0.1 divides by 1.01
# So: the first change of a record is looked for at step 2
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.000 0.929 0.846"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check adan-pytorch==0.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from adan_pytorch import Adan
x = torch.nn.Parameter(torch.ones(1))
optimizer = Adan([x], lr=0.1)
for _ in range(3):
    x.grad = torch.ones(1)
    optimizer.step()
    print(f"{x.item():.3f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
