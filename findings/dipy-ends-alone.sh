#!/usr/bin/env bash
# dipy 1.12.1, NumPy 2.4.6
# One would guess: a streamline that passes through regions 1, 2 and 3 connects all three, and one from 1 to 3 and one from 3 to 1 are an entry in each direction
# What happens: only the two ends count (inclusive=True counts all), and both directions are added up: 2 in both entries (symmetric=False keeps them apart)
# So: what a connection means is stated with the matrix
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[0, 0, 2], [0, 0, 0], [2, 0, 0]] [[0, 2, 2], [2, 0, 2], [2, 2, 0]] [[0, 0, 1], [0, 0, 0], [1, 0, 0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dipy==1.12.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from dipy.tracking.utils import connectivity_matrix
labels = np.array([1, 2, 3]).reshape(3, 1, 1)
line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
for options in {}, {"inclusive": True}, {"symmetric": False}:
    print(connectivity_matrix([line, line[::-1]], np.eye(4), labels, **options)[1:, 1:].tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
