#!/usr/bin/env bash
# torchinfo 1.8.0, torch 2.13.0
# One would guess: total_mult_adds grows with the length of a sequence, and holds attention.
# What happens: a linear layer counts its weights once, however many tokens pass through it; attention counts 0.
# So: count with torch.utils.flop_counter.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="a linear layer: 110 for 1 token, 110 for 7; attention over 5 tokens: 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchinfo==1.8.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchinfo import summary

layer, attention = torch.nn.Linear(10, 10), torch.nn.MultiheadAttention(16, 2, batch_first=True)
one, seven = (summary(layer, (1, n, 10), verbose=0).total_mult_adds for n in (1, 7))
x = torch.randn(1, 5, 16)
print(f"a linear layer: {one} for 1 token, {seven} for 7; attention over 5 tokens: {summary(attention, input_data=[x, x, x], verbose=0).total_mult_adds}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
