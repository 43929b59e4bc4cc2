#!/usr/bin/env bash
# optax 0.2.8
# One would guess: the first step of Adafactor with a rate of 0.1 is 0.1, as that of Adam
# What happens: it is 0.1 times the size of the weights, and never less than 0.0001: 10 from a weight of 100, and 0.0001 from one of 0, unless multiply_by_parameter_scale=False
# So: rates of two optimisers are compared by their first steps
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.1000 10.0000 0.0001"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp, optax
for value in 1.0, 100.0, 0.0:
    weights = jnp.full((4,), value)
    optimizer = optax.adafactor(0.1)
    updates, _ = optimizer.update(jnp.ones(4), optimizer.init(weights), weights)
    print(f"{-updates[0]:.4f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
