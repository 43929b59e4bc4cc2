#!/usr/bin/env bash
# torch 2.13.0
# One would guess: each layer of nn.TransformerEncoder starts from random weights of its own.
# What happens: the layer given is copied: all layers start from the same numbers. nn.Transformer draws each matrix anew.
# So: call reset_parameters() of each part, or nn.init over parameters(), before training.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="layers 0 and 2 of an encoder: equal; of nn.Transformer: different"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch import nn


def compared(encoder):
    first, third = (encoder.layers[i].linear1.weight for i in (0, 2))
    return "equal" if torch.equal(first, third) else "different"


encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3)
print(f"layers 0 and 2 of an encoder: {compared(encoder)}; of nn.Transformer: {compared(nn.Transformer(8, 2, 3, 3, 16).encoder)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
