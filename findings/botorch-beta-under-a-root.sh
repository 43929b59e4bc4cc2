#!/usr/bin/env bash
# botorch 0.18.1, torch 2.13.0
# One would guess: UpperConfidenceBound(beta=4) is the mean and 4 standard deviations.
# What happens: it is the mean and the square root of beta, 2, standard deviations.
# So: square the constant of a bound that is written as mean + c * deviation.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 standard deviations"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check botorch==0.18.1 gpytorch==1.15.2 torch==2.13.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from botorch.acquisition import UpperConfidenceBound
from botorch.models import SingleTaskGP

torch.manual_seed(0)
x = torch.rand(6, 1, dtype=torch.float64)
model = SingleTaskGP(x, x.sin())
at = torch.tensor([[[0.5]]], dtype=torch.float64)
posterior = model.posterior(at[0])
print(f"{((UpperConfidenceBound(model, beta=4.0)(at) - posterior.mean) / posterior.variance.sqrt()).item():.0f} standard deviations")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
