#!/usr/bin/env bash
# flax 0.12.8
# One would guess: a convolution of 3 x 3 without padding makes 3 x 3 of 5 x 5, as in PyTorch
# What happens: the padding is SAME by default: 5 x 5 stays 5 x 5, with zeros at the edge
# So: padding is named where weights move between the two
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="(1, 5, 5, 1) (1, 3, 3, 1)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
from flax import nnx
x = jnp.ones((1, 5, 5, 1))
print(nnx.Conv(1, 1, (3, 3), rngs=nnx.Rngs(0))(x).shape, nnx.Conv(1, 1, (3, 3), padding="VALID", rngs=nnx.Rngs(0))(x).shape)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
