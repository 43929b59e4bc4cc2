#!/usr/bin/env bash
# vector-quantize-pytorch 1.32.0, torch 2.13.0
# One would guess: a forward pass without gradients leaves a network as it was
# What happens: in training mode the codebook moves with every forward pass, under no_grad as well; in evaluation mode it rests
# So: a network is measured in evaluation mode, or on a copy: the measurement itself would train it
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="moved at rest"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from vector_quantize_pytorch import VectorQuantize
torch.manual_seed(0)
layer = VectorQuantize(dim=8, codebook_size=16)
inputs = torch.randn(1, 100, 8)
for mode in True, False:
    layer.train(mode)
    before = layer.codebook.clone()
    with torch.no_grad():
        layer(inputs)
    print("moved" if not torch.equal(before, layer.codebook) else "at rest", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
