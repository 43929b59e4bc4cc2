#!/usr/bin/env bash
# optax 0.2.8
# One would guess: apply_every(2) takes the mean of two updates, as MultiSteps does
# What happens: it takes their sum: 2 and 1 for two gradients of 1
# So: a rate that goes with one of the two is not the other's
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp, optax
one = jnp.ones(1)
for transformation in optax.apply_every(2), optax.MultiSteps(optax.identity(), 2):
    state = transformation.init(one)
    for _ in range(2):
        update, state = transformation.update(one, state)
    print(float(update[0]), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
