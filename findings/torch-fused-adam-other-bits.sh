#!/usr/bin/env bash
# torch 2.13.0
# One would guess: Adam(fused=True) takes less time and the same steps.
# What happens: steps differ in the last bits on the CPU, where foreach=True gives the bits of the plain loop.
# So: replay with the setting of the training.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="equal bits: foreach True, fused False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch.nn.utils import parameters_to_vector


def trained(**settings):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(20, 50), torch.nn.Tanh(), torch.nn.Linear(50, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, **settings)
    rows = torch.randn(64, 20)
    for _ in range(50):
        optimizer.zero_grad()
        network(rows).square().mean().backward()
        optimizer.step()
    return parameters_to_vector(network.parameters())


plain = trained(foreach=False)
print(f"equal bits: foreach {torch.equal(plain, trained(foreach=True))}, fused {torch.equal(plain, trained(fused=True))}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
