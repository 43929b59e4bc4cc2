#!/usr/bin/env bash
# kornia 0.9.0, torch 2.13.0
# One would guess: random augmentations that are layers of a network rest after eval(), as dropout does.
# What happens: they go on.
# So: keep them out of the network, or ask for self.training: what is measured in evaluation mode is noisy otherwise.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="flip changes: True, noise changes: True, dropout changes: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kornia==0.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from kornia.augmentation import RandomGaussianNoise, RandomHorizontalFlip

image = torch.arange(4.0).reshape(1, 1, 2, 2)
layers = {"flip": RandomHorizontalFlip(p=1.0), "noise": RandomGaussianNoise(p=1.0), "dropout": torch.nn.Dropout(0.5)}
network = torch.nn.ModuleDict(layers).eval()
print(", ".join(f"{name} changes: {not torch.equal(network[name](image), image)}" for name in layers))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
