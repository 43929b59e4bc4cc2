#!/usr/bin/env bash
# pyarrow 26.0.1, NumPy 2.4.6
# One would guess: an array whose bytes stand in the other order becomes a tensor with its values, or is refused, as pyarrow.array refuses it
# What happens: Tensor.from_numpy takes the bytes as they stand: 1 and 2 in 16 bits are 256 and 512, without a word
# So: arrays are brought to the machine's order first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 2] [256, 512] refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pyarrow as pa
for order in "<", ">":
    print(pa.Tensor.from_numpy(np.array([1, 2], order + "i2")).to_numpy().tolist(), end=" ")
try:
    pa.array(np.array([1, 2], ">i2"))
except pa.ArrowNotImplementedError:
    print("refused")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
