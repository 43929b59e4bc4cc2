#!/usr/bin/env bash
# jax 0.10.2, torch 2.13.0, NumPy 2.4.6
# One would guess: the gradient of a function that has a corner at 0 is the same there in jax and PyTorch
# What happens: that of the norm of zeros is NaN in the one and 0 in the other, that of the absolute value 1 and 0, that of clip to 0 to 1 0.5 and 1; relu has 0 in both
# So: gradients at weights or inputs of exactly 0 are looked at before two libraries are compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="nan 0 1 0 0.5 1 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jax==0.10.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax
import jax.numpy as jnp
import torch
for a, b, x in (jnp.linalg.norm, torch.norm, [0.0, 0.0]), (jnp.abs, torch.abs, 0.0), (lambda v: jnp.clip(v, 0, 1), lambda v: torch.clamp(v, 0, 1), 0.0), (jax.nn.relu, torch.relu, 0.0):
    leaf = torch.tensor(x, requires_grad=True)
    b(leaf).backward()
    print(f"{float(jnp.ravel(jax.grad(a)(jnp.array(x)))[0]):g} {leaf.grad.ravel()[0].item():g}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
