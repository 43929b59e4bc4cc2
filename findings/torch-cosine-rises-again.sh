#!/usr/bin/env bash
# torch 2.13.0
# One would guess: after T_max steps CosineAnnealingLR stays at its minimum.
# What happens: it rises again: at 2 T_max the learning rate is the first one.
# So: stop at T_max, or SequentialLR with ConstantLR.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="T_max of 10: 1.0 at the start, 0.0 after 10 steps, 0.5 after 15, 1.0 after 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
rates = [scheduler.get_last_lr()[0]]
for _ in range(20):
    optimizer.step()
    scheduler.step()
    rates.append(scheduler.get_last_lr()[0])
print(f"T_max of 10: {rates[0]:.1f} at the start, {rates[10]:.1f} after 10 steps, {rates[15]:.1f} after 15, {rates[20]:.1f} after 20")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
