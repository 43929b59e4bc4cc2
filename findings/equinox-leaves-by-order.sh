#!/usr/bin/env bash
# equinox 0.13.8
# One would guess: saved weights come back under their names, or an error says that fields differ.
# What happens: leaves are written without names: a class whose fields stand in another order reads each other's weights.
# So: save the names beside the weights, and compare them.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="encoder saved as 0, decoder as 1; read by a class with the order changed: encoder 1, decoder 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check equinox==0.13.8 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import equinox as eqx
import jax
import jax.numpy as jnp


class Then(eqx.Module):
    encoder: jax.Array
    decoder: jax.Array


class Now(eqx.Module):
    decoder: jax.Array
    encoder: jax.Array


eqx.tree_serialise_leaves("model.eqx", Then(encoder=jnp.zeros(3), decoder=jnp.ones(3)))
read = eqx.tree_deserialise_leaves("model.eqx", Now(encoder=jnp.zeros(3), decoder=jnp.zeros(3)))
print(
    f"encoder saved as 0, decoder as 1; read by a class with the order changed: encoder {read.encoder[0]:g}, decoder {read.decoder[0]:g}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
