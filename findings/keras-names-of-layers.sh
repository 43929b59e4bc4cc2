#!/usr/bin/env bash
# keras 3.15.1, torch 2.13.0
# One would guess: in a file of weights a layer has the name that it was given.
# What happens: it has the name of its class with a number: a layer put before another shifts the numbers.
# So: match weights to layers by their order and class, not by the names in the file.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="encoder, decoder are stored as dense, dense_1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 numpy==2.4.6 h5py==3.16.0
seen=$(KERAS_BACKEND=torch venv/bin/python 2>errors.txt <<'CODE'
import h5py
import keras

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="encoder"), keras.layers.Dense(2, name="decoder")])
model.save_weights("a.weights.h5")
with h5py.File("a.weights.h5") as file:
    print(f"encoder, decoder are stored as {', '.join(file['layers'])}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
