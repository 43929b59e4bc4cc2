#!/usr/bin/env bash
# numba 0.68.1, NumPy 2.4.6
# One would guess: x + 1 of a uint64 stays a uint64 in compiled code, as in NumPy 2.
# What happens: it becomes an int64: from 2**63 on the result is negative.
# So: in bit masks write np.uint64(1), not 1.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="NumPy 9223372036854775809, numba -9223372036854775807, numba with np.uint64(1) 9223372036854775809"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numba
import numpy as np


@numba.njit
def plain(x):
    return x + 1


@numba.njit
def typed(x):
    return x + np.uint64(1)


x = np.uint64(2**63)
print(f"NumPy {x + 1}, numba {plain(x)}, numba with np.uint64(1) {typed(x)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
