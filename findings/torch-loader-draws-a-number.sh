#!/usr/bin/env bash
# torch 2.13.0
# One would guess: going through a DataLoader that does not shuffle leaves PyTorch's random numbers as they are.
# What happens: each pass draws a seed for workers from the global generator, also without workers.
# So: an evaluation at every epoch changes dropout and shuffling after it; a loader with a `generator` of its own does not.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="state untouched: False; with a generator: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch.utils.data import DataLoader

data = torch.arange(4)


def untouched(**options):
    before = torch.get_rng_state()
    list(DataLoader(data, shuffle=False, num_workers=0, **options))
    return torch.equal(before, torch.get_rng_state())


print(f"state untouched: {untouched()}; with a generator: {untouched(generator=torch.Generator())}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
