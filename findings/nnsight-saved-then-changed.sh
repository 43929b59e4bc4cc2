#!/usr/bin/env bash
# nnsight 0.8.1, torch 2.13.0
# One would guess: a layer's output saved in a trace is what the layer returned.
# What happens: where the next module works in place, such as ReLU(inplace=True), what is saved is its result.
# So: save a clone.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="negative values: some in a clone, none in what was saved"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nnsight==0.8.1 torch==2.13.0
cat > saving.py <<'CODE'
import torch
from nnsight import NNsight
from torch import nn

torch.manual_seed(0)
model = NNsight(nn.Sequential(nn.Linear(4, 64), nn.ReLU(inplace=True), nn.Linear(64, 2)))
with model.trace(torch.ones(1, 4)):
    saved = model[0].output.save()
    clone = model[0].output.clone().save()
print(f"negative values: {'some' if (clone < 0).any() else 'none'} in a clone, {'some' if (saved < 0).any() else 'none'} in what was saved")
CODE
seen=$(venv/bin/python saving.py 2>errors.txt) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
