#!/usr/bin/env bash
# msgpack-numpy 0.4.8, msgpack 1.2.1
# One would guess: an array comes back as it was: one may write into it, and a pair of numbers is a pair
# What happens: arrays are views of the message and read-only; a tuple is a list
# So: weights that are to be changed are copied first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False [1, 2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check msgpack-numpy==0.4.8 msgpack numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import msgpack, msgpack_numpy, numpy as np
packed = msgpack.packb({"array": np.arange(3.0), "shape": (1, 2)}, default=msgpack_numpy.encode)
back = msgpack.unpackb(packed, object_hook=msgpack_numpy.decode)
print(back["array"].flags.writeable, back["shape"])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
