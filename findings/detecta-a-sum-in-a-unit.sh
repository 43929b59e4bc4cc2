#!/usr/bin/env bash
# detecta 0.1.0, NumPy 2.4.6, matplotlib 3.11.2
# One would guess: a test for changes finds as many in a recording in millivolts as in volts
# What happens: detect_cusum has a limit of 1 in the unit of the data: of a thousand values of noise with a spread of 1 it marks about half, and of a step of ten spreads in a unit in which it is 0.1 none
# So: the limit is given in spreads of the noise
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check detecta==0.1.0 numpy==2.4.6 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from detecta import detect_cusum
rng = np.random.default_rng(0)
noise = rng.normal(size=1000)
step = np.concatenate([np.zeros(500), np.full(500, 10.0)])
print(400 < len(detect_cusum(noise, show=False)[0]) < 600, len(detect_cusum((noise + step) / 1000, show=False)[0]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
