#!/usr/bin/env bash
# skchange 0.18.0
# One would guess: a series times ten has the change points that it had.
# What happens: default penalties suppose noise of standard deviation 1: one change in the series, none in a tenth of it, over a hundred in ten times it.
# So: divide by a robust estimate of the noise first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="a tenth: 0, as it is: 1, times ten: over 100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check skchange==0.18.0 numpy==2.4.6 scipy==1.17.1 numba==0.68.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from skchange.detectors import PELT

series = np.random.default_rng(0).normal(size=400)
series[200:] += 3


def changes(factor):
    x = (factor * series)[:, None]
    return len(np.asarray(PELT().fit(x).predict(x)).ravel())


many = changes(10)
print(f"a tenth: {changes(0.1)}, as it is: {changes(1)}, times ten: {'over 100' if many > 100 else many}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
