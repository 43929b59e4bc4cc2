#!/usr/bin/env bash
# optax 0.2.8, jax 0.10.2, NumPy 2.4.6, torch 2.13.0
# One would guess: the first step of Adagrad is the rate, whatever the size of the gradient, as in PyTorch
# What happens: its sum of squares begins at 0.1: a gradient of 1 gives 0.95 of the rate, one of 0.001 gives 0.003 of it, and PyTorch the whole in both
# So: initial_accumulator_value=0 is given, and first steps are compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.000 0.953 1.000 0.003"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 numpy==2.4.6 torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax
import torch
for size in 1.0, 0.001:
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.full((1,), size)
    torch.optim.Adagrad([weight], lr=1).step()
    optimizer = optax.adagrad(1.0)
    step, _ = optimizer.update(jnp.full(1, size), optimizer.init(jnp.zeros(1)))
    print(f"{-weight.item():.3f} {-step.item():.3f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
