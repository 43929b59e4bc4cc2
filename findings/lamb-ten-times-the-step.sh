#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, optax 0.2.8, jax 0.10.2, torch 2.13.0, NumPy 2.4.6
# One would guess: the first step of LAMB is one in pytorch_optimizer and optax
# What happens: four weights of 1 move by 0.1 and by 0.01 at a rate of 0.01: the one neither corrects the averages at their start, nor lets a weight's norm count above 10; four weights of 10 move by 0.5 and by 0.1
# So: first steps are compared before a rate is carried over
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.10 0.01 0.50 0.10"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 optax==0.2.8 jax==0.10.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax
import pytorch_optimizer
import torch
for size in 1.0, 10.0:
    x = torch.nn.Parameter(torch.full((4,), size))
    optimizer = pytorch_optimizer.Lamb([x], lr=0.01)
    x.grad = torch.ones(4)
    optimizer.step()
    lamb, w = optax.lamb(0.01), jnp.full(4, size)
    step, _ = lamb.update(jnp.ones(4), lamb.init(w), w)
    print(f"{size - x[0].item():.2f} {-step[0].item():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
