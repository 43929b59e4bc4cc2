#!/usr/bin/env bash
# torchmetrics 1.9.0, scikit-learn 1.9.1, torch 2.13.0, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a share of variance that is explained does not depend on the unit
# What happens: R2Score of targets of about 0.0001 is 1, whatever is predicted: sums of squares that are close to 0 count as 0; the same predictions have -0.9 in a unit a thousand times as fine, and scikit-learn says -0.9 in both
# So: activations and gradients are brought to a spread of about 1 first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-0.9 -0.9 1.0 -0.9"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 scikit-learn==1.9.1 torch==2.13.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from sklearn.metrics import r2_score
from torchmetrics.functional import r2_score as torch_r2_score
torch.manual_seed(0)
target, prediction = torch.randn(2, 100)
for unit in 0.1, 0.0001:
    print(f"{torch_r2_score(prediction * unit, target * unit):.1f}", end=" ")
    print(f"{r2_score(target.double() * unit, prediction.double() * unit):.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
