#!/usr/bin/env bash
# torch-optimizer 0.3.0, torch 2.13.0
# One would guess: Shampoo lowers a round quadratic of two numbers, and in float32 it goes where it goes in float64
# What happens: what is orthogonal to all gradients so far is rounding alone, and is divided by an epsilon of 1e-4: a start of loss 4.90 ends at 4.86 in float32 and at 5.02 in float64 after 100 steps
# So: steps of preconditioned optimisers on biases are no measure of what a network learns; one coordinate moves the wrong way
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4.90 to less one away; 4.90 to more one away;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-optimizer==0.3.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch, torch_optimizer
for precision in torch.float32, torch.float64:
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=precision))
    by = torch_optimizer.Shampoo([parameter], lr=0.01)
    losses = []
    for _ in range(101):
        by.zero_grad()
        loss = ((parameter - torch.tensor([0.3, 0.1], dtype=precision)) ** 2).sum()
        losses.append(loss.item())
        loss.backward()
        by.step()
    print(f"{losses[0]:.2f} to", "less" if losses[-1] < losses[0] else "more", "one away" if (parameter[0] > 1) != (parameter[1] < -2) else "both", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
