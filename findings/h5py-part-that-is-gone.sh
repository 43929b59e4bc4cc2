#!/usr/bin/env bash
# h5py 3.16.0, NumPy 2.4.6
# One would guess: a virtual dataset of two files raises when one of them is gone
# What happens: it reads as zeros, without a word
# So: the sources of a virtual dataset are looked for before it is read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import h5py, numpy as np, os
layout = h5py.VirtualLayout(shape=(2, 3), dtype="f8")
for i in range(2):
    with h5py.File(f"{i}.h5", "w") as file:
        file["x"] = np.full(3, i + 1.0)
    layout[i] = h5py.VirtualSource(f"{i}.h5", "x", shape=(3,))
with h5py.File("all.h5", "w") as file:
    file.create_virtual_dataset("x", layout)
os.remove("1.h5")
with h5py.File("all.h5") as file:
    print(file["x"][:].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
