#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: the loss that history gives for an epoch is that of the network after it
# What happens: it is the mean over the batches while the network changed: above 1 where evaluate() right after says less than 0.001
# So: curves of training and validation are half an epoch apart, and a training loss above the validation loss is no sign of anything
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
x = np.random.default_rng(0).normal(size=(320, 1))
y = 3 * x + 5
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
print(model.fit(x, y, batch_size=8, verbose=0).history["loss"][0] > 1, model.evaluate(x, y, verbose=0) < 1e-3)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
