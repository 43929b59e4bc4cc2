#!/usr/bin/env bash
# gguf 0.19.0
# One would guess: the shape of a tensor in GGUFReader is the shape that was written.
# What happens: `tensor.shape` is reversed, as ggml counts dimensions; `tensor.data.shape` is that of the array.
# So: a square matrix hides it; code that reshapes `data` to `shape` mixes rows and columns.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="written (2, 3), shape (3, 2), data (2, 3)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gguf
import numpy as np

writer = gguf.GGUFWriter("a.gguf", "test")
writer.add_tensor("w", np.zeros((2, 3), np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
tensor = gguf.GGUFReader("a.gguf").tensors[0]
print(f"written (2, 3), shape {tuple(map(int, tensor.shape))}, data {tensor.data.shape}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
