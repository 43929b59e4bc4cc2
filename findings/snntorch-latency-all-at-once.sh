#!/usr/bin/env bash
# snntorch 1.0.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a latency code of 0.1, 0.5 and 1 makes the strongest fire first and the weakest last
# What happens: with the defaults (tau=1, threshold=0.01) all three fire at the first step: the code holds nothing; linear=True and normalize=True spread them over the steps
# So: times of the spikes are looked at before a network is trained on them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0, 0, 0] [4, 2, 0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snntorch==1.0.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from snntorch import spikegen
values = torch.tensor([0.1, 0.5, 1.0])
for settings in {}, {"normalize": True, "linear": True}:
    print(spikegen.latency(values, num_steps=5, **settings).argmax(0).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
