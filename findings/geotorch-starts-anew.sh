#!/usr/bin/env bash
# geotorch 0.4.0, torch 2.13.0
# One would guess: a weight that is orthogonal already stays as it is when the layer is told to be orthogonal
# What happens: it is replaced by a random orthogonal one; torch's own parametrisation keeps it
# So: a constraint on a trained network is followed by a look at its outputs
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="another kept"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check geotorch==0.4.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import geotorch, torch
torch.manual_seed(0)
for constrain in lambda layer: geotorch.orthogonal(layer, "weight"), torch.nn.utils.parametrizations.orthogonal:
    layer = torch.nn.Linear(4, 4, bias=False)
    torch.nn.init.orthogonal_(layer.weight)
    before = layer.weight.detach().clone()
    constrain(layer)
    print("kept" if torch.allclose(layer.weight, before, atol=1e-5) else "another", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
