#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the area under the curve depends on the order of the scores alone, and 100 thresholds are enough for it
# What happens: thresholds=100 stand evenly between 0 and 1: for probabilities between 0.495 and 0.505 in perfect order, as a network has at the start of training, the area is 0.5, by chance, and without thresholds 1
# So: thresholds stay unset, or are chosen from the scores
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 1.0 1.0 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchmetrics.functional.classification import binary_auroc
labels = torch.arange(100) // 50
for width in 1, 0.01:
    scores = 0.5 + width * torch.linspace(-0.5, 0.5, 100)
    print(*(round(binary_auroc(scores, labels, thresholds=number).item(), 2) for number in (None, 100)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
