#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: where the first epoch's loss is NaN, and each later one is half of the last, training goes on and the last network is the best
# What happens: nothing is below NaN: EarlyStopping ends the training after two epochs, ReduceLROnPlateau lowers the rate four times in nine, and ModelCheckpoint keeps the network of the first epoch as the best
# So: a loss that is NaN ends a run, or is left out of what callbacks see
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 0.0625 ['1.keras']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(1.0), "mse")
os.mkdir("kept")
callbacks = (
    keras.callbacks.EarlyStopping(monitor="loss", patience=2),
    keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2),
    keras.callbacks.ModelCheckpoint("kept/{epoch}.keras", monitor="loss", save_best_only=True),
)
stopped = None
for callback in callbacks:
    callback.set_model(model)
    callback.on_train_begin()
for epoch in range(9):
    for callback in callbacks:
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 0.5**epoch if epoch else float("nan")})
    if stopped is None and model.stop_training:
        stopped = epoch
print(stopped, float(model.optimizer.learning_rate), os.listdir("kept"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
