#!/usr/bin/env bash
# flax 0.12.8, NumPy 2.4.6
# One would guess: an array whose bytes stand in the other order, as in NIfTI, FITS or old recordings, is saved with its values, or refused
# What happens: msgpack_serialize writes the bytes as they are and calls them float32: 1, 2, 3 come back as 4.6e-41, 9e-44 and 2.3e-41, without a word
# So: arrays are brought to the machine's order before they are saved: array.astype(array.dtype.newbyteorder('='))
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 2.0, 3.0] [4.6e-41, 9e-44, 2.3e-41]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from flax.serialization import msgpack_restore, msgpack_serialize
for order in "<", ">":
    back = msgpack_restore(msgpack_serialize({"w": np.array([1, 2, 3], order + "f4")}))["w"]
    print([float(f"{x:.2g}") for x in back], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
