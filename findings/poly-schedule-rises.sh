#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: PolyScheduler(t_max=10, max_lr=1) falls from 1 to 0 in ten steps
# What happens: it rises from 0: with poly_order=2 the rates are 0, 1, 1, 4, 9, up to 81: the maximum is multiplied by a power of the step
# So: the rates of a schedule are printed before a run
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 1 1 4 9 16 25 36 49 64 81"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
schedule = pytorch_optimizer.PolyScheduler(optimizer, t_max=10, max_lr=1.0, poly_order=2)
print(round(optimizer.param_groups[0]["lr"]), end=" ")
for _ in range(10):
    optimizer.step()
    schedule.step()
    print(round(optimizer.param_groups[0]["lr"]), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
