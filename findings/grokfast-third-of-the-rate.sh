#!/usr/bin/env bash
# grokfast-pytorch 0.0.11, torch 2.13.0
# One would guess: GrokFastAdamW with a rate of 0.01 takes a first step of 0.01, as AdamW does
# What happens: the rate is divided by 1 + lambda: the first step is a third, and param_groups say so; with grokfast=False it is whole
# So: a comparison of when networks grok with and without it gives both the same param_groups, or normalize_lr=False
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0033 0.0033, 0.0100 0.0100, 0.0100 0.0100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grokfast-pytorch==0.0.11 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from grokfast_pytorch import GrokFastAdamW
def first_step(make):
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = make([parameter])
    parameter.square().sum().backward()
    optimizer.step()
    return f"{1 - parameter.item():.4f} {optimizer.param_groups[0]['lr']:.4f}"
print(first_step(lambda p: GrokFastAdamW(p, lr=0.01)), first_step(lambda p: GrokFastAdamW(p, lr=0.01, grokfast=False)), first_step(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.0)), sep=", ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
