#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: the share of samples whose class is the best one is the accuracy
# What happens: where a network gives all classes the same score, as one does whose last layer starts at 0, each class is among the best one: the top-1 accuracy is 1 where the accuracy is a third, in all batches until the scores differ
# So: accuracy is taken where k is 1, and the first values of a curve are distrusted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.00 0.33"
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
for metric in keras.metrics.SparseTopKCategoricalAccuracy(k=1), keras.metrics.SparseCategoricalAccuracy():
    metric.update_state(np.array([0, 1, 2]), np.full((3, 4), 0.25))
    print(f"{float(metric.result()):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
