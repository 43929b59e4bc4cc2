#!/usr/bin/env bash
# sinabs 3.1.3, torch 2.13.0, NumPy 2.4.6
# One would guess: what is saved of a spiking network can be loaded into a new one of the same shape
# What happens: potentials are in state_dict with the size of the last batch, and a new network, which has seen no batch, refuses them; after reset_states() the saved ones are zeros of that batch size, and are refused as well
# So: entries named v_mem are left out, or a batch of the same size is run first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sinabs==3.1.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from sinabs.layers import IAF
used = IAF()
used(torch.full((1, 1, 1), 0.4))
for step in (lambda: None), used.reset_states:
    step()
    try:
        IAF().load_state_dict(used.state_dict())
        print("loaded", end=" ")
    except RuntimeError as error:
        print("v_mem" in str(error), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
