#!/usr/bin/env bash
# backpack-for-pytorch 1.7.1, torch 2.13.0
# One would guess: with a mean loss, `grad_batch` holds the gradient of each sample's own loss, as torch.func gives it.
# What happens: it holds each sample's share of the mean's gradient: divided by the number of samples.
# So: multiply by the number of samples before norms, variances or noise scales.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="of samples alone [2.0, 2.0], grad_batch [1.0, 1.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check backpack-for-pytorch==1.7.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from backpack import backpack, extend
from backpack.extensions import BatchGrad

layer, loss = extend(torch.nn.Linear(1, 1, bias=False)), extend(torch.nn.MSELoss())
torch.nn.init.ones_(layer.weight)
x, y = torch.ones(2, 1), torch.zeros(2, 1)
alone = [torch.autograd.grad(loss(layer(x[i : i + 1]), y[i : i + 1]), layer.weight)[0].item() for i in range(2)]
with backpack(BatchGrad()):
    loss(layer(x), y).backward()
print(f"of samples alone {alone}, grad_batch {layer.weight.grad_batch.flatten().tolist()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
