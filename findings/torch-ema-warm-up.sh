#!/usr/bin/env bash
# torch-ema 0.3, torch 2.13.0
# One would guess: with decay=0.9, the first update moves the average a tenth of the way: to 0.1 from 0 to 1.
# What happens: it moves most of the way: the decay starts near 2/11 and only comes to 0.9 after some eighty updates.
# So: use_num_updates=False gives the plain average.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.818, without use_num_updates 0.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-ema==0.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_ema import ExponentialMovingAverage


def first(**settings):
    weight = torch.nn.Parameter(torch.zeros(1))
    average = ExponentialMovingAverage([weight], decay=0.9, **settings)
    weight.data.fill_(1.0)
    average.update()
    return round(average.shadow_params[0].item(), 3)


print(f"{first()}, without use_num_updates {first(use_num_updates=False)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
