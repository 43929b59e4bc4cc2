#!/usr/bin/env bash
# torch 2.13.0, NumPy 2.4.6
# One would guess: a loss that stays at -1, or rises slowly from there, lowers a rate as one at 1 does
# What happens: the smallest change that counts is a ten-thousandth of the best value, with its sign: below 0 each equal value is an improvement, and so is one that is a little worse: after 20 of them the rate is as it was, where a loss of 1 has halved it six times; threshold_mode='abs' does the same for both
# So: a log likelihood, or any loss that may be negative, needs threshold_mode='abs'
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.015625 1.0 1.0 0.015625"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
for start, rise, mode in (1, 0, "rel"), (-1, 0, "rel"), (-1, 2e-6, "rel"), (-1, 0, "abs"):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold_mode=mode)
    for step in range(20):
        plateau.step(start + rise * step)
    print(optimizer.param_groups[0]["lr"], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
