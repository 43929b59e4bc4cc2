#!/usr/bin/env bash
# torch 2.13.0
# One would guess: a forward pass without gradients leaves the weights as they are.
# What happens: an Embedding with max_norm shortens the rows that it reads, in place.
# So: measure on a copy, and compare weights before and after.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="norm of row 0: above 1, after one look 1.00; row 2, not looked at, above 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

torch.manual_seed(0)
embedding = torch.nn.Embedding(3, 4, max_norm=1.0)
before = embedding.weight.norm(dim=1).tolist()
with torch.no_grad():
    embedding(torch.tensor([0]))
after = embedding.weight.norm(dim=1).tolist()
print(
    f"norm of row 0: {'above 1' if before[0] > 1 else before[0]}, after one look {after[0]:.2f}; "
    f"row 2, not looked at, {'above 1' if after[2] > 1 else after[2]}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
