#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: without weight decay a weight whose gradient is 0 stays as it is
# What happens: at the first step FTRL sets it to 0, and SRMM divides it by the root of 2: weights are made anew from sums over steps, which begin with nothing
# So: a network is trained with such an optimiser from its first step on, never started from another's weights
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="SGD 2.00 FTRL 0.00 SRMM 1.41"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
for optimizer in torch.optim.SGD, pytorch_optimizer.FTRL, pytorch_optimizer.SRMM:
    x = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    x.grad = torch.tensor([1.0, 0.0])
    optimizer([x], lr=0.01).step()
    print(optimizer.__name__, f"{x[1].item():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
