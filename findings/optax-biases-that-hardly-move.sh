#!/usr/bin/env bash
# optax 0.2.8, jax 0.10.2, NumPy 2.4.6
# One would guess: clipping by a hundredth of the weight lets a bias that starts at 0 move
# What happens: adaptive_grad_clip takes the size of such a weight to be 0.001: gradients of 1 become 0.00001, a thousandth of those of a weight of 1, until the bias has grown
# So: biases and weights that start at 0 are masked out
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.01 1e-05"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp
import optax
clip = optax.adaptive_grad_clip(0.01)
for size in 1.0, 0.0:
    weight = jnp.full(1, size)
    print(float(f"{float(clip.update(jnp.ones(1), clip.init(weight), weight)[0][0]):.2g}"), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
