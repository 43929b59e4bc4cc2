#!/usr/bin/env bash
# snntorch 1.0.0, torch 2.13.0
# One would guess: the membrane potential that comes with a spike is reset, so that none above the threshold of 1 is ever returned.
# What happens: the reset is taken off in the next step: potentials of 1.2 and 1.4 come with the spikes.
# So: reset_delay=False resets at once; compare recorded potentials with other simulators only then.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.6, 1.2 (spike), 0.8, 1.4 (spike)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snntorch==1.0.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import snntorch
import torch

cell, seen = snntorch.Leaky(beta=1.0), []
potential = cell.init_leaky()
for _ in range(4):
    spike, potential = cell(torch.tensor([0.6]), potential)
    seen.append(f"{potential.item():.1f}" + (" (spike)" if spike.item() else ""))
print(", ".join(seen))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
