#!/usr/bin/env bash
# norse 1.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a constant input of 0.25 never makes a neuron with a threshold of 1 fire
# What happens: it fires 62 times a second: the input is added to a current that decays by a fifth a step, so that it acts five times as large; 0.19 is below, 0.21 above the threshold
# So: inputs are divided by dt times tau_syn_inv where their size is stated
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 34 62"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check norse==1.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import norse.torch as norse
import torch
cell = norse.LIFCell()
for size in 0.19, 0.21, 0.25:
    state, spikes = None, 0
    with torch.no_grad():
        for _ in range(1000):
            spike, state = cell(torch.full((1,), size), state)
            spikes += int(spike.item())
    print(spikes, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
