#!/usr/bin/env bash
# flax 0.12.8
# One would guess: after one batch the running mean of a batch norm is a tenth of the batch's, as in PyTorch, whose name and place momentum has
# What happens: it is a hundredth: 0.05 of 5. Momentum is the share that is kept, and it is 0.99
# So: a network that is evaluated after a few hundred steps is evaluated with other statistics
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.05 0.99"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
from flax import nnx
layer = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
layer(jnp.full((4, 1), 5.0))
print(round(float(layer.mean[...][0]), 4), layer.momentum)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
