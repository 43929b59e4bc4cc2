#!/usr/bin/env bash
# madgrad 1.3, torch 2.13.0, NumPy 2.4.6
# One would guess: the first step of an adaptive method does not depend on the size of the gradient, as that of Adam
# What happens: it goes with the cube root of the gradient: a gradient a thousand times as large makes a step ten times as large, and of a gradient of 1 the step is 0.46 times the rate
# So: a loss is not rescaled without the rate
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0046 0.0100 0.0464 0.0100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check madgrad==1.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from madgrad import MADGRAD
for size in 1.0, 1000.0:
    for method in MADGRAD, torch.optim.Adam:
        x = torch.nn.Parameter(torch.zeros(1))
        optimizer = method([x], lr=0.01)
        x.grad = torch.tensor([size])
        optimizer.step()
        print(f"{-x.item():.4f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
