#!/usr/bin/env bash
# ormsgpack 1.13.1, orjson 3.13.0, NumPy 2.4.6
# One would guess: an array whose bytes stand in the other order is written with its values, or refused, as orjson does
# What happens: ormsgpack writes the bytes as they stand: 1 and 2 in 16 bits come back as 256 and 512, without a word
# So: arrays are brought to the machine's order before they are written
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 2] [256, 512] refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ormsgpack==1.13.1 orjson==3.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, orjson, ormsgpack
for order in "<", ">":
    print(ormsgpack.unpackb(ormsgpack.packb(np.array([1, 2], order + "i2"), option=ormsgpack.OPT_SERIALIZE_NUMPY)), end=" ")
try:
    orjson.dumps(np.array([1, 2], ">i2"), option=orjson.OPT_SERIALIZE_NUMPY)
except TypeError as error:
    print("refused")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
