#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: argrelmax and find_peaks of one module find the same peaks
# What happens: argrelmax wants each neighbour to be lower: a peak whose two highest samples are equal, as in rounded or clipped recordings, is missing; find_peaks has it, at its middle, rounded down, and neither has a largest value at an end
# So: find_peaks is used, and ends are looked at apart
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[4] [1, 4]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from scipy.signal import argrelmax, find_peaks
import numpy as np
x = np.array([0, 1, 1, 0, 2, 0, 3])
print(argrelmax(x)[0].tolist(), find_peaks(x)[0].tolist(), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
