#!/usr/bin/env bash
# optax 0.2.8, jax 0.10.2, torch 2.13.0, NumPy 2.4.6
# One would guess: a plateau of ten steps lowers a rate as often with a patience of 2 in optax as in PyTorch
# What happens: the third value that is no better lowers it in PyTorch and the second in optax: after ten equal losses the rate is an eighth in the one and a sixteenth in the other, though a patience of 2 was asked for in both
# So: the steps at which a rate falls are compared before a schedule is carried over
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="8.0 16.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax.contrib
import torch
plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=2)
state = plateau.init(jnp.ones(1))
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
for _ in range(10):
    step, state = plateau.update(jnp.ones(1), state, value=1.0)
    schedule.step(1.0)
print(1 / optimizer.param_groups[0]["lr"], 1 / float(step[0]), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
