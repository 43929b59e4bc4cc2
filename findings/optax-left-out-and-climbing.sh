#!/usr/bin/env bash
# optax 0.2.8
# One would guess: a parameter that the mask of optax.masked leaves out stays as it is
# What happens: its gradient passes through unchanged and is added: it climbs, at a rate of 1; with a rate of 0.1 and gradients of 2, one parameter goes from 1 to 0.8 and the other to 3
# So: parameters are frozen by set_to_zero in multi_transform
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'frozen': 3.0, 'trained': 0.8}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp, optax
optimizer = optax.masked(optax.sgd(0.1), {"trained": True, "frozen": False})
weights = {"trained": jnp.array(1.0), "frozen": jnp.array(1.0)}
updates, _ = optimizer.update({"trained": 2.0, "frozen": 2.0}, optimizer.init(weights), weights)
print({name: round(float(value), 3) for name, value in sorted(optax.apply_updates(weights, updates).items())})
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
