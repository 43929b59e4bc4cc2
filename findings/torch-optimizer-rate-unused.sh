#!/usr/bin/env bash
# torch-optimizer 0.3.0, torch 2.13.0
# One would guess: the size of a step follows the learning rate that was set, or setting one raises
# What happens: A2GradExp and Adafactor (unless relative_step=False) take lr, keep it in param_groups, and step as far with 0.01 as with 0.001
# So: a rate is read from how far parameters go, not from param_groups; a schedule of it need not have any effect
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="A2GradExp as far Adafactor as far Yogi less far"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch-optimizer==0.3.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch, torch_optimizer
def step(optimizer, rate):
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    by = optimizer([parameter], lr=rate)
    for _ in range(20):
        by.zero_grad()
        ((parameter - 0.1) ** 2).sum().backward()
        by.step()
    return parameter.detach()
for name in "A2GradExp", "Adafactor", "Yogi":
    optimizer = getattr(torch_optimizer, name)
    print(name, "as far" if torch.equal(step(optimizer, 0.01), step(optimizer, 0.001)) else "less far", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
