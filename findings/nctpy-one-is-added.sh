#!/usr/bin/env bash
# nctpy 1.2.0, NumPy 2.4.6
# One would guess: matrix_normalization brings the largest eigenvalue to 1, and with system='continuous' as well
# What happens: it divides by the largest eigenvalue plus 1, so that connections of one weight keep two thirds of the rate at an eigenvalue of 2, and 0.99 at 100; the continuous form subtracts the identity: its diagonal is -1
# So: the constant c is stated with each result, since what decays how fast depends on the unit of the weights
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[0.0, 0.67], [0.67, 0.0]] [[-1.0, 0.67], [0.67, -1.0]] [[0.0, 0.99], [0.99, 0.0]] [[-1.0, 0.99], [0.99, -1.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nctpy==1.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from nctpy.utils import matrix_normalization
for weight in 2.0, 100.0:
    a = np.array([[0, weight], [weight, 0]])
    print(*[np.round(matrix_normalization(a, system=s), 2).tolist() for s in ("discrete", "continuous")], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
