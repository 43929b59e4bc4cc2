#!/usr/bin/env bash
# ema-pytorch 0.8.3, torch 2.13.0
# One would guess: with beta=0.9, each update moves the average a tenth of the way to the weights.
# What happens: only every tenth update does anything, and up to the hundredth it copies the weights.
# So: update_every=1 and update_after_step=0 give the average of the formula.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="weights 6, 21, 100, 111: average 1.0, 21.0, 91.0, 103.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ema-pytorch==0.8.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from ema_pytorch import EMA

layer = torch.nn.Linear(1, 1, bias=False)
average, seen = EMA(layer, beta=0.9), {}
for step in range(1, 112):
    layer.weight.data.fill_(step)
    average.update()
    seen[step] = round(average.ema_model.weight.item(), 1)
print("weights 6, 21, 100, 111: average", ", ".join(str(seen[step]) for step in (6, 21, 100, 111)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
