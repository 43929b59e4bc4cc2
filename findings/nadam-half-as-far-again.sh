#!/usr/bin/env bash
# keras 3.15.1, optax 0.2.8, jax 0.10.2, NumPy 2.4.6
# One would guess: first steps of Nadam are the same in optax and Keras
# What happens: they are 1.47 and 1.06 rates: optax's is Adam with Nesterov's look ahead, Keras's has its own schedule of momentum, as in the paper and in PyTorch
# So: first steps are compared before a rate is carried over
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.47 1.16 1.06 0.77"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 optax==0.2.8 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import jax.numpy as jnp
import keras
import numpy as np
import optax
nadam, one = optax.nadam(0.01), jnp.ones(1)
state = nadam.init(one)
for _ in range(2):
    step, state = nadam.update(one, state, one)
    print(f"{-float(step[0]) / 0.01:.2f}", end=" ")
weight, optimizer = keras.Variable(np.ones(1, "float32")), keras.optimizers.Nadam(0.01)
for _ in range(2):
    before = float(weight[0])
    optimizer.apply([keras.ops.ones(1)], [weight])
    print(f"{(before - float(weight[0])) / 0.01:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
