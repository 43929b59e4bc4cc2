#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the first steps of RAdam are those of PyTorch's RAdam
# What happens: pytorch_optimizer's leaves all weights where they are for the first five steps, PyTorch's goes five steps of plain momentum: after five gradients of 1 at a rate of 0.1 they are at 0 and -0.5; Ranger waits as well
# So: degenerated_to_sgd=True is given, and the first change of a record is not taken for an onset
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.00 -0.50"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
for method in pytorch_optimizer.RAdam, torch.optim.RAdam:
    x = torch.nn.Parameter(torch.zeros(1))
    optimizer = method([x], lr=0.1)
    for _ in range(5):
        x.grad = torch.ones(1)
        optimizer.step()
    print(f"{x.item():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
