#!/usr/bin/env bash
# numba 0.68.1, NumPy 2.4.6
# One would guess: a compiled mean of float32 agrees with NumPy's.
# What happens: numba adds one by one in float32, NumPy in pairs: ten million values of 0.1 lose several per cent.
# So: a mean over a large probe set drifts with its size, and only when compiled.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="NumPy 0.1 compiled more than 5 % off"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numba
import numpy as np


@numba.njit
def mean(values):
    return values.mean()


values = np.full(10_000_000, 0.1, np.float32)
compiled, plain = float(mean(values)), float(values.mean())
print("NumPy", round(plain, 4), "compiled", "more than 5 % off" if abs(compiled / plain - 1) > 0.05 else compiled)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
