#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a column that was constant while a scaler was fitted comes out near 0 afterwards
# What happens: Normalization divides by 1e-7 where there was no spread: a neuron that was at 5 throughout and is at 6 later comes out at ten million; scikit-learn's scaler gives 1
# So: constant columns are taken out before
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="10000000.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
before, later = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 6.0]])
layer = keras.layers.Normalization()
layer.adapt(before)
print(round(float(layer(later)[0, 1])) * 1.0, float(StandardScaler().fit(before).transform(later)[0, 1]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
