#!/usr/bin/env bash
# mtrf 2.1.2, NumPy 2.4.6
# One would guess: the weights of one response are the same at any sampling rate: about 1 for a copy of the stimulus a tenth of a second later
# What happens: they are per second: 95 at 100 Hz and 181 at 200 Hz for the same copy
# So: weights of recordings at different rates are divided by the rate
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="95 181"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mtrf==2.1.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from mtrf.model import TRF
x = np.random.default_rng(0).normal(size=(2000, 1))
for rate in 100, 200:
    model = TRF()
    model.train(x, np.roll(x, rate // 10, axis=0), rate, 0, 0.2, 1.0)
    print(round(float(model.weights.max())), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
