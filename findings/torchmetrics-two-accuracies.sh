#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0
# One would guess: Accuracy(task='multiclass') and MulticlassAccuracy are one metric.
# What happens: the first is the share of right samples, the second, by default, the mean of the classes' shares.
# So: give `average`; a record's key `accuracy` does not say which it was.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Accuracy 0.833, MulticlassAccuracy 0.667"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchmetrics import Accuracy
from torchmetrics.classification import MulticlassAccuracy

said, true = torch.tensor([0, 0, 0, 0, 1, 0]), torch.tensor([0, 0, 0, 0, 1, 2])
one, other = Accuracy(task="multiclass", num_classes=3)(said, true), MulticlassAccuracy(num_classes=3)(said, true)
print(f"Accuracy {one:.3f}, MulticlassAccuracy {other:.3f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
