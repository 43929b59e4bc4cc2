#!/usr/bin/env bash
# optax 0.2.8, jax 0.10.2, NumPy 2.4.6, torch 2.13.0
# One would guess: RMSprop is one method: the first step of PyTorch's and of optax's are equal at one rate
# What happens: the first step is 10 times the rate in PyTorch and 3.2 times in optax: the average forgets a hundredth of the past at each step in the one, a tenth in the other, and neither corrects its start
# So: decay (alpha) is given in both, and first steps are compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-0.100 -0.032"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 numpy==2.4.6 torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax
import torch
weight = torch.nn.Parameter(torch.zeros(1))
weight.grad = torch.ones(1)
torch.optim.RMSprop([weight], lr=0.01).step()
optimizer = optax.rmsprop(0.01)
step, _ = optimizer.update(jnp.ones(1), optimizer.init(jnp.zeros(1)))
print(f"{weight.item():.3f} {step.item():.3f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
