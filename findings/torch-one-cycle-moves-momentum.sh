#!/usr/bin/env bash
# torch 2.13.0
# One would guess: a schedule of the learning rate leaves Adam's betas as they are.
# What happens: OneCycleLR moves beta1 from 0.95 down to 0.85 and back, whatever it was set to.
# So: cycle_momentum=False, or record the betas beside the learning rate: a change of regime may be theirs.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.95 0.85 0.95"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

model = torch.nn.Linear(2, 2)
optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.999))
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=101)
first = []
for _ in range(100):
    first.append(optimizer.param_groups[0]["betas"][0])
    optimizer.step()
    schedule.step()
print(f"{first[0]:.2f} {min(first):.2f} {first[-1]:.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
