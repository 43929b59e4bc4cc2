#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: a leaky ReLU has one slope below 0, or one in each library
# What happens: it is 0.3 in the layer, 0.2 in the function and where it is named by text, both in Keras, and 0.01 in jax, as in PyTorch
# So: the slope is written down wherever a leaky ReLU is used
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-0.30 -0.20 -0.20 -0.01"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import jax
import keras
import numpy as np
x = np.full((1, 1), -1.0, "float32")
layers = keras.layers.LeakyReLU(), keras.layers.Activation("leaky_relu"), keras.activations.leaky_relu, jax.nn.leaky_relu
print(*(f"{float(layer(x)[0, 0]):.2f}" for layer in layers))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
