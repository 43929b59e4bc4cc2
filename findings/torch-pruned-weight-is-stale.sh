#!/usr/bin/env bash
# torch 2.13.0
# One would guess: after optimizer.step() layer.weight holds the new weights.
# What happens: under torch.nn.utils.prune it is a copy from the last forward pass; weight_orig times weight_mask is new.
# So: run a forward pass before reading the weights of a pruned network.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after a step: as before; after a forward pass: new"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch.nn.utils import prune

torch.manual_seed(0)
layer = torch.nn.Linear(4, 4)
prune.l1_unstructured(layer, "weight", 0.5)
optimizer = torch.optim.SGD(layer.parameters(), 0.1)
layer(torch.ones(1, 4)).sum().backward()
before = layer.weight.detach().clone()
optimizer.step()
word = {True: "as before", False: "new"}
print(f"after a step: {word[torch.equal(layer.weight, before)]}", end="; ")
layer(torch.ones(1, 4))
print(f"after a forward pass: {word[torch.equal(layer.weight, before)]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
