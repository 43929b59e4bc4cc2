#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: each of these optimisers moves a weight at its first step
# What happens: AdaShift leaves it where it is for ten steps, until as many gradients are stored; SOAP, ADOPT and AvaGrad for one
# So: steps without a change at the start of a trajectory may be the optimiser's
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="AdaShift 11 SOAP 2 ADOPT 2 AvaGrad 2 AdaBelief 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pytorch_optimizer
import torch
for name in "AdaShift", "SOAP", "ADOPT", "AvaGrad", "AdaBelief":
    x = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = getattr(pytorch_optimizer, name)([x], lr=0.01)
    torch.manual_seed(0)
    steps = 0
    while torch.equal(x, torch.ones(4, 4)):
        x.grad = torch.randn(4, 4)
        optimizer.step()
        steps += 1
    print(name, steps, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
