#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: with a rate of 0 weights stay as they are
# What happens: momentum holds steps, not gradients: after three gradients of 1 at a rate of 0.1 weights go on by 0.24 and 0.22 at a rate of 0; after a fall of the rate to a tenth the next step is nearly as large as the last
# So: a change of rate shows in the weights some ten steps later than in the log; in PyTorch it shows at once
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.10 0.19 0.27 0.24 0.22"
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
weight = keras.Variable(np.zeros(1, "float32"))
optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
for step in range(5):
    if step == 3:
        optimizer.learning_rate = 0.0
    before = float(weight[0])
    optimizer.apply([keras.ops.full(1, 1.0 if step < 3 else 0.0)], [weight])
    print(f"{before - float(weight[0]):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
