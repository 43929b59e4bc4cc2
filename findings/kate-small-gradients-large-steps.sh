#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a gradient a thousand times as small makes a step as large (Adam) or a thousand times as small (SGD)
# What happens: with Kate it makes a step a thousand times as large: 1 rate for a gradient of 1, 985 rates for one of 0.001: what hardly matters moves most, and a loss that is divided by a number asks for another rate
# So: the first steps are measured before a rate is carried over from another method
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 985"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from pytorch_optimizer import Kate
for size in 1.0, 0.001:
    x = torch.nn.Parameter(torch.zeros(1))
    optimizer = Kate([x], lr=0.01)
    x.grad = torch.full((1,), size)
    optimizer.step()
    print(f"{-x.item() / 0.01:.0f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
