#!/usr/bin/env bash
# captum 0.9.0, torch 2.13.0
# One would guess: LayerActivation and LayerConductance of a module that runs twice in a forward pass raise an error, or return both runs.
# What happens: one run is returned, the last, without a word.
# So: a module that is shared between two places of a network is attributed at one of them only.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="activation [12.0, 24.0] of [3.0, 6.0] and [12.0, 24.0], warnings 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check captum==0.9.0 torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import torch
from captum.attr import LayerActivation
from torch import nn


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.triple = nn.Linear(2, 2, bias=False)
        self.triple.weight.data = 3.0 * torch.eye(2)

    def forward(self, x):
        return self.triple(self.triple(x) + x).sum(1)


network = Shared()
runs = []
hook = network.triple.register_forward_hook(lambda module, inputs, output: runs.append(output[0].tolist()))
x = torch.tensor([[1.0, 2.0]])
network(x)
hook.remove()
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    found = LayerActivation(network, network.triple).attribute(x)
print(f"activation {found[0].tolist()} of {runs[0]} and {runs[1]}, warnings {len(heard)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
