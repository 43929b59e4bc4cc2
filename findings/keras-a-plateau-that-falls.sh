#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: a loss that falls by a tenth in each epoch is no plateau
# What happens: ReduceLROnPlateau wants it to fall by 0.0001 in total, whatever its size: from 0.01 on the rate stays for thirty epochs, from 0.0005 on it is halved eleven times
# So: min_delta is set to a share of the loss
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 0.00048828125"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
for first in 0.01, 0.0005:
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2)
    plateau.set_model(model)
    plateau.on_train_begin()
    for epoch in range(30):
        plateau.on_epoch_end(epoch, {"loss": first * 0.9**epoch})
    print(float(model.optimizer.learning_rate), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
