#!/usr/bin/env bash
# loralib 0.1.2, torch 2.13.0
# One would guess: eval() leaves the state dict as it was.
# What happens: it adds the low-rank product to the weight; saved then, and loaded into a fresh model, the product is added twice.
# So: save in training mode.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="weight changed; output after loading: another"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check loralib==0.1.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import loralib
import torch

torch.manual_seed(0)
layer = loralib.Linear(4, 4, r=2)
torch.nn.init.normal_(layer.lora_B)
before = layer.weight.detach().clone()
layer.eval()
saved = {name: value.clone() for name, value in layer.state_dict().items()}
fresh = loralib.Linear(4, 4, r=2)
fresh.load_state_dict(saved)
fresh.eval()
x = torch.randn(2, 4)
print("weight unchanged" if torch.equal(before, layer.weight) else "weight changed", end="; output after loading: ")
print("the same" if torch.allclose(layer(x), fresh(x), atol=1e-4) else "another")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
