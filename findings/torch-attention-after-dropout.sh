#!/usr/bin/env bash
# torch 2.13.0
# One would guess: attention weights that are returned sum to 1.
# What happens: in training they come after dropout: some are 0, the rest scaled up, and rows sum to anything.
# So: measure attention in eval mode.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="rows sum to 1 in evaluation, in training to numbers that differ by more than 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

torch.manual_seed(0)
attention = torch.nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
x = torch.randn(1, 5, 8)
training = attention(x, x, x)[1].sum(-1)
evaluation = attention.eval()(x, x, x)[1].sum(-1)
print(
    f"rows sum to {'1' if torch.allclose(evaluation, torch.ones(1, 5)) else evaluation} in evaluation, in training to numbers that "
    f"differ by {'more than 0.5' if training.max() - training.min() > 0.5 else training}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
