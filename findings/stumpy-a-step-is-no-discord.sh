#!/usr/bin/env bash
# stumpy 1.14.1, NumPy 2.4.6
# One would guess: in white noise with a step of 50 standard deviations the least usual stretch lies at the step
# What happens: it lies elsewhere in each of four series: stretches are standardised, so that level and size are gone, and a step looks like the same step a few samples on
# So: jumps are looked for in the series itself
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[True, True, True, True]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check stumpy==1.14.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, stumpy
far = []
for seed in range(4):
    series = np.random.default_rng(seed).normal(size=400)
    series[200:] += 50
    place = int(np.argmax(stumpy.stump(series, 20)[:, 0].astype(float)))
    far.append(not 180 <= place <= 200)
print(far)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
