#!/usr/bin/env bash
# torchmetrics 1.9.0, scikit-learn 1.9.1, torch 2.13.0, NumPy 2.4.6, SciPy 1.17.1
# One would guess: Matthews' correlation of labels of one class is 0 or NaN
# What happens: it is 1 in torchmetrics where all are predicted right, and -1 where all are wrong, and 0 in scikit-learn; as soon as one sample is of the other class, torchmetrics says 0 too
# So: batches of one class are left out of an average
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 -1 0 0.0 0.0 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 scikit-learn==1.9.1 torch==2.13.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from sklearn.metrics import matthews_corrcoef
from torchmetrics.functional.classification import binary_matthews_corrcoef
cases = ([0, 0, 0], [0, 0, 0]), ([1, 1, 1], [0, 0, 0]), ([0, 0, 0], [0, 0, 1])
print(*(round(binary_matthews_corrcoef(torch.tensor(a), torch.tensor(b)).item()) for a, b in cases), end=" ")
print(*(float(matthews_corrcoef(b, a)) for a, b in cases))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
