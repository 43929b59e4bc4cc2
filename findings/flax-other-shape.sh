#!/usr/bin/env bash
# flax 0.12.8
# One would guess: from_bytes into arrays of another shape or type raises.
# What happens: names alone are checked: the arrays of the file come back in their own shape and type.
# So: compare shapes after reading weights, or read with a library that does.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="(3, 2) float32 and (3, 2) float32"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from flax import serialization

file = serialization.to_bytes({"w": np.ones((3, 2), np.float32)})
wider = serialization.from_bytes({"w": np.zeros((5, 2), np.float32)}, file)["w"]
half = serialization.from_bytes({"w": np.zeros((3, 2), np.float16)}, file)["w"]
print(f"{wider.shape} {wider.dtype} and {half.shape} {half.dtype}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
