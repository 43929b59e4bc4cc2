#!/usr/bin/env bash
# zarr 3.1.6, NumPy 2.4.6
# One would guess: an array that is cut to two values and made four long again ends in two fill values
# What happens: what lay in the same chunk as the end is there again: 1 2 3 0 with chunks of three, and 1 2 0 0 with chunks of two
# So: what is to be removed is overwritten before the array is cut
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 2, 3, 0] [1, 2, 0, 0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, zarr
for size in 3, 2:
    array = zarr.create_array(f"{size}.zarr", shape=(4,), chunks=(size,), dtype="i4")
    array[:] = [1, 2, 3, 4]
    array.resize((2,))
    array.resize((4,))
    print(array[:].tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
