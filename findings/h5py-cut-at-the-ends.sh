#!/usr/bin/env bash
# h5py 3.16.0, NumPy 2.4.6
# One would guess: 300 and -1 in a dataset of 8 bits are what NumPy makes of them, 44 and 255, or raise
# What happens: they are cut to 255 and 0, and NaN becomes 0, without a word: HDF5 converts, not NumPy; in a dataset of int16 infinity is 32767
# So: an array is brought to its type before it is written
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[44, 255] [255, 0] [2, 0] [32767]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import h5py
import numpy as np
values = np.array([300, -1])
with h5py.File("file.h5", "w") as file:
    print(values.astype("u1").tolist(), file.create_dataset("a", data=values, dtype="u1")[:].tolist(), end=" ")
    print(file.create_dataset("b", data=np.array([2.7, np.nan]), dtype="u1")[:].tolist(), end=" ")
    print(file.create_dataset("c", data=np.array([np.inf]), dtype="i2")[:].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
