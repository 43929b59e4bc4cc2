#!/usr/bin/env bash
# torch 2.13.0
# One would guess: a forward hook on the output projection of nn.MultiheadAttention runs whenever the attention runs.
# What happens: it never runs, with or without gradients: the attention reads the projection's weights and does not call it.
# So: what goes over all Linear modules with hooks does not see this one, and nothing says so.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="attention: 2 runs; its projection: 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch import nn

attention = nn.MultiheadAttention(8, 2, batch_first=True)
count = {"attention": 0, "projection": 0}


def counting(name):
    def hook(module, inputs, output):
        count[name] += 1

    return hook


attention.register_forward_hook(counting("attention"))
attention.out_proj.register_forward_hook(counting("projection"))
assert isinstance(attention.out_proj, nn.Linear)
x = torch.randn(2, 3, 8)
attention(x, x, x)
with torch.no_grad():
    attention.eval()(x, x, x)
print(f"attention: {count['attention']} runs; its projection: {count['projection']}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
