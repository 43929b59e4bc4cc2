#!/usr/bin/env bash
# torch-lr-finder 0.2.2, torch 2.13.0
# One would guess: range_test tries rates on a copy, or puts the weights back.
# What happens: it leaves the weights where the loss diverged, unless reset() is called.
# So: finder.reset() before training.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="weights moved by more than ten: True; after reset: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-lr-finder==0.2.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch_lr_finder import LRFinder

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
before = model.weight.detach().clone()
data = torch.utils.data.TensorDataset(torch.randn(64, 3), torch.randn(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
finder = LRFinder(model, optimizer, torch.nn.MSELoss(), device="cpu")
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    finder.range_test(torch.utils.data.DataLoader(data, 8), end_lr=10, num_iter=30)
moved = (model.weight - before).abs().max().item()
finder.reset()
print(f"weights moved by more than ten: {moved > 10}; after reset: {(model.weight - before).abs().max().item() > 0}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
