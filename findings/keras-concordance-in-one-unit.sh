#!/usr/bin/env bash
# keras 3.15.1, jax 0.10.2, NumPy 2.4.6
# One would guess: a concordance does not depend on the unit in which both series are given
# What happens: ConcordanceCorrelation adds a small number to what it divides by: 0.50 for values of about 1, 0.47 for a thousandth of them and 0.06 for a ten-thousandth
# So: both series are brought to a spread of about 1
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.50 0.47 0.06"
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
for unit in 1, 1e-3, 1e-4:
    metric = keras.metrics.ConcordanceCorrelation(axis=0)
    metric.update_state(np.array([1.0, 2.0, 3.0]) * unit, np.array([1.0, 3.0, 2.0]) * unit)
    print(f"{float(metric.result()):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
