#!/usr/bin/env bash
# torcheval 0.0.7, torch 2.13.0, NumPy 2.4.6
# One would guess: the area under a curve of one class, the mean of no value and the largest of none are NaN or raise
# What happens: they are 0.5, 0 and -inf: an evaluation set with one class looks like chance, and a metric that was never updated like a loss of 0
# So: numbers of samples and classes are checked before a score is read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.5 0.0 -inf"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torcheval==0.0.7 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging, torch
logging.disable()
from torcheval.metrics import Max, Mean
from torcheval.metrics.functional import binary_auroc
print(binary_auroc(torch.tensor([0.1, 0.2]), torch.tensor([0, 0])).item(), Mean().compute().item(), Max().compute().item())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
