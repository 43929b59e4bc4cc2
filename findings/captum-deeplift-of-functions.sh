#!/usr/bin/env bash
# captum 0.9.0, torch 2.13.0
# One would guess: DeepLift of a network that calls torch.relu, not nn.ReLU, gives the same attributions or warns that it cannot.
# What happens: no warning of it, and the attributions are those of plain gradients: their sums miss the change of the output by a fifth in this small network.
# So: check that attributions add up to the change of the output before one is read.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="sums add up with a module: True, with a function: False; warnings alike: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check captum==0.9.0 torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import torch
from captum.attr import DeepLift
from torch import nn


class Network(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.first, self.second, self.activation = nn.Linear(3, 8), nn.Linear(8, 1), activation

    def forward(self, x):
        return self.second(self.activation(self.first(x)))[:, 0]


torch.manual_seed(0)
networks = {"module": Network(nn.ReLU()), "function": Network(torch.relu)}
networks["function"].load_state_dict(networks["module"].state_dict())
x = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
told, said = {}, []
for name, network in networks.items():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = DeepLift(network).attribute(x, torch.zeros_like(x))
    told[name] = [str(each.message) for each in heard]
    change = network(x) - network(torch.zeros_like(x))
    missed = (found.sum(1) - change).abs().mean() / change.abs().mean()
    said.append(f"with a {name}: {missed.item() < 0.05}")
print("sums add up " + ", ".join(said) + f"; warnings alike: {told['module'] == told['function']}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
