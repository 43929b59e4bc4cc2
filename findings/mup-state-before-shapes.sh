#!/usr/bin/env bash
# mup 1.0.0, torch 2.13.0
# One would guess: a network gives the same outputs whether its weights are loaded before or after set_base_shapes
# What happens: set_base_shapes scales the weights that it finds, so weights loaded before it are scaled a second time, without a word
# So: checkpoints of such networks are loaded last, and state_dict holds weights after the scaling
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mup==1.0.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch, mup
def network():
    return torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.ReLU(), mup.MuReadout(64, 2))
def narrow(width):
    return torch.nn.Sequential(torch.nn.Linear(5, width), torch.nn.ReLU(), mup.MuReadout(width, 2))
torch.manual_seed(0)
x = torch.randn(3, 5)
trained = network()
mup.set_base_shapes(trained, narrow(8), delta=narrow(16))
before, after = network(), network()
before.load_state_dict(trained.state_dict())
mup.set_base_shapes(before, narrow(8), delta=narrow(16))
mup.set_base_shapes(after, narrow(8), delta=narrow(16))
after.load_state_dict(trained.state_dict())
print(*(torch.allclose(trained(x), other(x)) for other in (before, after)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
