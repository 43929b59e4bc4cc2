#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: weight decay draws a layer that gets no gradient slowly towards 0
# What happens: AdamS divides the decay by the size of the gradients: at its defaults, with a rate of 0.01, a weight of 1 whose layer gets none is -99 after a step, 9801 after two and -970299 after three
# So: layers that are not used, or whose units are dead, are left out, or weight_decay=0 is set
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.99 -99 9801 -970299"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
x = torch.nn.Parameter(torch.ones(2))
x.grad = torch.zeros(2)
torch.optim.AdamW([x], lr=0.01, weight_decay=1.0).step()
print(f"{x[0].item():.2f}", end=" ")
x = torch.nn.Parameter(torch.ones(2))
optimizer = pytorch_optimizer.AdamS([x], lr=0.01)
for _ in range(3):
    x.grad = torch.zeros(2)
    optimizer.step()
    print(round(x[0].item()), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
