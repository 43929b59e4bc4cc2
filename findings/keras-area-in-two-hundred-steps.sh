#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: the area under the curve of scores in perfect order is 1
# What happens: AUC counts at 200 thresholds between 0 and 1 by default: it is 0.88 where all scores lie between 0.495 and 0.505, as at the start of a training, and rises to 1 while the scores spread and their order stays
# So: a rise of this metric at the start is held against an exact one
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.88 1.00 1.00"
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
labels = np.arange(100) // 50
for width in 0.01, 0.1, 1:
    area = keras.metrics.AUC()
    area.update_state(labels, 0.5 + width * np.linspace(-0.5, 0.5, 100))
    print(f"{float(area.result()):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
