#!/usr/bin/env bash
# optax 0.2.8 and torch 2.13.0
# One would guess: AdamW without a stated weight decay has the same one in both.
# What happens: one is 1e-4, the other 1e-2: a hundredth of the decay.
# So: state the decay in what you publish; it moves the time of grokking.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0001 and 0.01"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax
import torch

weight, still = jnp.ones(1), jnp.zeros(1)
rule = optax.adamw(1.0)
jax_step = -float(rule.update(still, rule.init(weight), weight)[0][0])
parameter = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
parameter.grad = torch.zeros(1, dtype=torch.float64)
torch.optim.AdamW([parameter], lr=1.0).step()
print(f"{jax_step:.4g} and {1 - parameter.item():.4g}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
