#!/usr/bin/env bash
# geomloss 0.3.1, torch 2.13.0
# One would guess: SamplesLoss('sinkhorn', p=2) of two points at a distance of 3 is 9, or 3.
# What happens: the cost is the squared distance over 2: 4.5.
# So: times 2 before it is compared with other libraries.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="p=2: 4.5, p=1: 3.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check geomloss==0.3.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from geomloss import SamplesLoss

a, b = torch.zeros(1, 1), torch.full((1, 1), 3.0)
two, one = (SamplesLoss("sinkhorn", p=p, blur=0.01)(a, b).item() for p in (2, 1))
print(f"p=2: {two:.1f}, p=1: {one:.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
