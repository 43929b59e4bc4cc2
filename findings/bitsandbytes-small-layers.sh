#!/usr/bin/env bash
# bitsandbytes 0.50.2, torch 2.13.0
# One would guess: Adam8bit keeps its averages in 8 bits.
# What happens: those of a layer with fewer than 4096 numbers are float32: in a small model all of them.
# So: min_8bit_size, if the comparison is about 8 bits.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="63 x 64: float32; 64 x 64: uint8"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bitsandbytes==0.50.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bitsandbytes
import torch


def kept(rows):
    weight = torch.nn.Parameter(torch.randn(rows, 64))
    weight.grad = torch.randn(rows, 64)
    optimizer = bitsandbytes.optim.Adam8bit([weight])
    optimizer.step()
    return str(optimizer.state[weight]["state1"].dtype).removeprefix("torch.")


print(f"63 x 64: {kept(63)}; 64 x 64: {kept(64)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
