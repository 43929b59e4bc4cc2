#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: an LSTM starts with the biases that PyTorch's has: small random numbers in all four gates
# What happens: they are 0, and 1 in the forget gate (unit_forget_bias), in one bias where PyTorch has two
# So: when a memory forms in training depends on it: starts are copied where the two are compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[(1, 8), (2, 8), (8,)] [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np
layer = keras.layers.LSTM(2)
layer.build((None, 3, 1))
print([tuple(w.shape) for w in layer.weights], np.asarray(layer.weights[2]).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
