#!/usr/bin/env bash
# torch 2.13.0, NumPy 2.4.6
# One would guess: with a dampening of 0.9 each gradient counts a tenth
# What happens: the first one counts in full: a gradient of 1 at the first step moves the weight by 4.1 rates in five steps, the same gradient at the second step by 0.34 in the four that are left
# So: with dampening a run leans on its first batch, and a run that starts with a new optimiser does so again
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4.10 0.34"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
for first in 0, 1:
    x = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([x], lr=1.0, momentum=0.9, dampening=0.9)
    for step in range(5):
        x.grad = torch.ones(1) * (step == first)
        optimizer.step()
    print(f"{-x.item():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
