#!/usr/bin/env bash
# laplace-torch 0.3, torch 2.13.0
# One would guess: the predictive variance of a regression covers the targets.
# What happens: it is that of the function alone: about 0.02 where the targets scatter by 1, with sigma_noise 1 known to the model.
# So: add la.sigma_noise ** 2.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="returned 0.02, of the targets around the line 0.9, sigma_noise 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check laplace-torch==0.3 torch==2.13.0 numpy==2.4.6
venv/bin/pip uninstall --quiet --yes --disable-pip-version-check torchvision  # its dependencies bring one for another torch
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import torch
from laplace import Laplace
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.linspace(-1, 1, 200)[:, None]
y = 2 * x + torch.randn(200, 1)
model = torch.nn.Sequential(torch.nn.Linear(1, 1))
optimizer = torch.optim.Adam(model.parameters(), 0.05)
for _ in range(300):
    optimizer.zero_grad()
    ((model(x) - y) ** 2).mean().backward()
    optimizer.step()
la = Laplace(model, "regression", subset_of_weights="all", hessian_structure="full")
la.fit(DataLoader(TensorDataset(x, y), 50))
returned, scatter = la(x[:1])[1].item(), ((model(x) - y) ** 2).mean().item()
print(f"returned {returned:.2f}, of the targets around the line {scatter:.1f}, sigma_noise {la.sigma_noise.item():.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
