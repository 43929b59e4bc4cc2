#!/usr/bin/env bash
# spikingjelly 2.0.0, torch 2.13.0
# One would guess: in evaluation mode the same input gives the same output, and state_dict holds what the output depends on.
# What happens: the potential stays from call to call, and is not in state_dict.
# So: functional.reset_net(network) before each batch.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="01010, 10101, after reset_net 01010; 0 entries in state_dict"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spikingjelly==2.0.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from spikingjelly.activation_based import functional, neuron

cell = neuron.LIFNode().eval()
current = torch.full((1,), 1.5)


def spikes():
    with torch.no_grad():
        return "".join(str(int(cell(current))) for _ in range(5))


first, second = spikes(), spikes()
functional.reset_net(cell)
print(f"{first}, {second}, after reset_net {spikes()}; {len(cell.state_dict())} entries in state_dict")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
