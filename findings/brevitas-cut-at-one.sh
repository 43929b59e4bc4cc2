#!/usr/bin/env bash
# brevitas 0.13.4, torch 2.13.0
# One would guess: a quantised activation that has seen no data lets values through, or refuses to run
# What happens: in evaluation mode it cuts at 1 and has 16 levels below; after three passes in training mode it cuts where those data ended
# So: a quantised network is calibrated before it is measured, and its largest activations are looked at
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 16; 2.0 4;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brevitas==0.13.4 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import brevitas.nn, torch
torch.manual_seed(0)
activation = brevitas.nn.QuantReLU(bit_width=4)
inputs = 2 * torch.rand(1000)
for data in None, 10 * torch.rand(1000):
    if data is not None:
        activation.train()
        for _ in range(3):
            activation(data)
    outputs = activation.eval()(inputs)
    print(f"{outputs.max():.1f} {outputs.unique().numel()}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
