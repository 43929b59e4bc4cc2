#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0
# One would guess: BinaryAccuracy treats logits as logits in every batch.
# What happens: a batch counts as logits if any value lies outside of 0 to 1, else as probabilities: two positive logits of 0.3 are called negative.
# So: give probabilities, or classes: at the start of training logits are small.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="logits 0.3 and 0.3: 0; with a third of 1.1: 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchmetrics.classification import BinaryAccuracy

true = torch.tensor([1, 1])
alone = BinaryAccuracy()(torch.tensor([0.3, 0.3]), true)
third = BinaryAccuracy()(torch.tensor([0.3, 0.3, 1.1]), torch.tensor([1, 1, 1]))
print(f"logits 0.3 and 0.3: {alone:.0f}; with a third of 1.1: {third:.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
