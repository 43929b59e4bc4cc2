#!/usr/bin/env bash
# torchdiffeq 0.2.5, torch 2.13.0, NumPy 2.4.6
# One would guess: odeint with rk4 or euler from 0 to 5 takes steps small enough for a decay at a rate of 1, as dopri5 does
# What happens: methods of a fixed step take one step between two stated times: from 0 to 5 they end at 13.7 and -4 where 0.007 is right, without a word, unless options=dict(step_size=...) is given
# So: a step size is given; results at fewer times are not to change those between
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="13.708 -4.000 0.007 0.007"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchdiffeq==0.2.5 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchdiffeq import odeint
start, times = torch.tensor([1.0]), torch.tensor([0.0, 5.0])
for method in "rk4", "euler", "dopri5":
    print(f"{odeint(lambda t, y: -y, start, times, method=method)[-1].item():.3f}", end=" ")
print(f"{odeint(lambda t, y: -y, start, times, method='rk4', options={'step_size': 0.1})[-1].item():.3f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
