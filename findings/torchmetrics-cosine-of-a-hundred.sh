#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the cosine similarity of a hundred vectors with themselves is 1
# What happens: it is 100: the sum over the rows is taken by default, so that it grows with the batch; reduction='mean' gives 1
# So: reduction='mean' is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="100.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchmetrics.regression import CosineSimilarity
x = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
print(*(round(CosineSimilarity(**s)(x, x).item(), 3) for s in ({}, {"reduction": "mean"})), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
