#!/usr/bin/env bash
# captum 0.9.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the saliency of a linear function is its weights, 1 and -2
# What happens: it is 1 and 2: the absolute value is taken by default (abs=True), while the gradient times the input keeps the sign
# So: abs=False where signs are compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[1.0, 2.0]] [[1.0, -2.0]] [[1.0, -2.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check captum==0.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from captum.attr import InputXGradient, Saliency
model = torch.nn.Linear(2, 1, bias=False)
model.weight.data = torch.tensor([[1.0, -2.0]])
x = torch.ones(1, 2, requires_grad=True)
print(Saliency(model).attribute(x).tolist(), InputXGradient(model).attribute(x).tolist(), Saliency(model).attribute(x, abs=False).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
