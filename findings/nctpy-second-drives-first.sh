#!/usr/bin/env bash
# nctpy 1.2.0, NumPy 2.4.6
# One would guess: A[i, j] is the connection from i to j, as in a matrix of a connectome: the neuron that reaches all others has the largest average controllability
# What happens: the state is A x, so that A[i, j] leads from j to i: with 0 wired to 1, 2 and 3 at A[0, 1], A[0, 2] and A[0, 3] it has the smallest
# So: matrices of rows that send are transposed first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 1.9, 1.9, 1.9] [3.7, 1.0, 1.0, 1.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nctpy==1.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from nctpy.metrics import ave_control
from nctpy.utils import matrix_normalization
a = np.zeros((4, 4))
a[0, 1:] = 1
a += 1e-3
for matrix in a, a.T:
    print(np.round(ave_control(matrix_normalization(matrix, system="discrete"), system="discrete"), 1).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
