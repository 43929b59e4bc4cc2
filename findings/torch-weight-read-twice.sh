#!/usr/bin/env bash
# torch 2.13.0
# One would guess: reading layer.weight twice, with nothing between, gives one weight.
# What happens: under spectral_norm in training mode each reading does a step of power iteration, so that it changes the weight, and the training.
# So: read parametrised weights in evaluation mode.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="training: two weights; evaluation: one"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

torch.manual_seed(0)
layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(20, 20))
with torch.no_grad():
    layer.parametrizations.weight.original.normal_()


def read():
    return "one" if torch.equal(layer.weight, layer.weight) else "two weights"


training = read()
layer.eval()
print(f"training: {training}; evaluation: {read()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
