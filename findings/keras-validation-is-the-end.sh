#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: validation_split=0.2 holds out a random fifth
# What happens: it holds out the last fifth, as it stands before shuffling: of rows that are 0 and then 100, it is the ones of 100 alone, with a loss near 10,000 beside one below 1
# So: rows are shuffled before fit, or validation data are given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
y = np.append(np.zeros(80), np.full(20, 100.0))[:, None]
history = model.fit(np.linspace(0, 1, 100)[:, None], y, validation_split=0.2, verbose=0).history
print(history["loss"][0] < 10, history["val_loss"][0] > 9000)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
