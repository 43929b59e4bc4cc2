#!/usr/bin/env bash
# torch 2.13.0, NumPy 2.4.6
# One would guess: a schedule that is made after a first one, with the rate set by hand to 0.01, starts from 0.01
# What happens: the rate that the first schedule began with stays in the optimiser, as initial_lr: LambdaLR and CosineAnnealingWarmRestarts set the rate back to 1 as they are made, StepLR and CosineAnnealingLR leave it at 0.01; without a first schedule all four start from 0.01
# So: initial_lr is set, or removed, along with the rate
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 1.0 0.01 0.01 0.01 0.01 0.01 0.01"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch.optim import lr_scheduler
for first in True, False:
    for make in (
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0),
        lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10),
        lambda optimizer: lr_scheduler.StepLR(optimizer, 10),
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 10),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        if first:
            lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.param_groups[0]["lr"] = 0.01
        make(optimizer)
        print(optimizer.param_groups[0]["lr"], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
