#!/usr/bin/env bash
# thop 0.1.1.post2209072238, torch 2.13.0
# One would guess: the number of parameters that profile() returns is the model's.
# What happens: attention's input weights belong to no module that it knows: 1136 of 2224 parameters of an encoder layer are counted.
# So: sum(p.numel() for p in model.parameters()).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1136 of 2224"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check thop==0.1.1.post2209072238 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from thop import profile

layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
_, counted = profile(layer, (torch.randn(1, 5, 16),), verbose=False)
print(f"{counted:g} of {sum(p.numel() for p in layer.parameters())}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
