#!/usr/bin/env bash
# safetensors 0.8.0, NumPy 2.4.6
# One would guess: an array that is not C-contiguous is written correctly, or refused as PyTorch's face refuses it.
# What happens: save_file of a transposed array raises nothing, and the file holds other numbers: the memory order
#   under the transposed shape.
# So: weights kept as (in, out) and saved as W.T come back scrambled, with the right shape.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="(3, 2) other numbers [0.0, 1.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from safetensors.numpy import load_file, save_file

weights = np.arange(6.0).reshape(2, 3)
save_file({"w": weights.T}, "w.safetensors")
read = load_file("w.safetensors")["w"]
print(read.shape, "equal" if np.array_equal(read, weights.T) else "other numbers", read[0].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
