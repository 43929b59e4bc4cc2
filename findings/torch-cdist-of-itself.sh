#!/usr/bin/env bash
# torch 2.13.0
# One would guess: the distance of a point to itself is 0.
# What happens: torch.cdist of more than 25 float32 points goes by way of a matrix product: up to 0.01 for points of norm 7.
# So: give compute_mode='donot_use_mm_for_euclid_dist' where near neighbours count.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="100 points: above 1e-4; 20 points: 0; without the product: 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

torch.manual_seed(0)
x = torch.randn(100, 50)


def own(points, **how):
    largest = torch.cdist(points, points, **how).diagonal().max().item()
    return "above 1e-4" if largest > 1e-4 else f"{largest:.0f}"


print(f"100 points: {own(x)}; 20 points: {own(x[:20])}; without the product: {own(x, compute_mode='donot_use_mm_for_euclid_dist')}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
