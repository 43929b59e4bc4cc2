#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a cosine from 1 to 0 in ten steps, without warm-up, starts at 1 and ends at 0
# What happens: making CosineScheduler sets the rate to 0, so that the first step of a training moves nothing, and after ten steps it is at 0.02: all is one step late; PyTorch's goes from 1 to 0
# So: rates are written down step by step, the first one too
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.00 1.00 0.02 1.00 0.98 0.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
for make in (
    lambda optimizer: pytorch_optimizer.CosineScheduler(optimizer, t_max=10, max_lr=1.0),
    lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(10):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    print(*(f"{rates[i]:.2f}" for i in (0, 1, 10)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
