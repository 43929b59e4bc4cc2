#!/usr/bin/env bash
# pybdm 0.1.0, NumPy 2.4.6, setuptools 80.9.0
# One would guess: the complexity of twenty bits depends on all twenty
# What happens: pieces of twelve are looked up, and what is left over is ignored by default: twelve zeros and eight zeros are as complex as twelve zeros and eight other bits; PartitionCorrelated or PartitionRecursive count them
# So: lengths are multiples of twelve, or the way of cutting is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pybdm==0.1.0 numpy==2.4.6 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from pybdm import BDM, PartitionRecursive
x, y = np.zeros(20, int), np.zeros(20, int)
y[12:] = [0, 1, 1, 0, 1, 0, 0, 1]
for measure in BDM(ndim=1), BDM(ndim=1, partition=PartitionRecursive, min_length=2):
    print(measure.bdm(x) == measure.bdm(y), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
