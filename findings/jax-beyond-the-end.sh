#!/usr/bin/env bash
# jax 0.10.2, NumPy 2.4.6
# One would guess: x[10] of three values raises, or gives what take(x, 10) gives
# What happens: x[10] is the last value and x[-10] the first; take gives NaN for both; set at 10 changes nothing; and one_hot of 5 or -1 among three classes is a row of zeros
# So: indices are checked before they are used: a wrong label costs nothing in a loss of one_hot
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3.0 1.0 nan nan [1.0, 2.0, 3.0] [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax, jax.numpy as jnp
x = jnp.arange(3.0) + 1
print(float(x[10]), float(x[-10]), float(jnp.take(x, 10)), float(jnp.take(x, -10)), x.at[10].set(7).tolist(), jax.nn.one_hot(jnp.array([5, -1]), 3).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
