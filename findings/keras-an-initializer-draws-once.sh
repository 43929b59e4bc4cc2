#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: two layers that start from one initializer without a seed start from different weights
# What happens: an initializer chooses its seed as it is made and draws from there at each call: two layers that share one object start with the same weights, two that share its name do not
# So: initializers are given by name, or made anew for each layer
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
for initializer in keras.initializers.HeNormal(), "he_normal":
    layers = [keras.layers.Dense(3, kernel_initializer=initializer) for _ in range(2)]
    for layer in layers:
        layer.build((None, 3))
    print(np.array_equal(*(np.array(layer.kernel) for layer in layers)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
