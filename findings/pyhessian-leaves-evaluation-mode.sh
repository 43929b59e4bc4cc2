#!/usr/bin/env bash
# PyHessian 0.1, torch 2.13.0
# One would guess: curvature is measured and the network is as before.
# What happens: it is left in evaluation mode, without dropout, and with gradients that the next backward pass adds to.
# So: model.train() and zero_grad() after each measurement, or the training that follows is another one.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="training mode False, gradients left True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyhessian==0.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from pyhessian import hessian

torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5)).train()
hessian(network, torch.nn.MSELoss(), data=(torch.randn(50, 3), torch.randn(50, 2)), cuda=False)
print(f"training mode {network.training}, gradients left {network[0].weight.grad is not None}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
