#!/usr/bin/env bash
# x-transformers 2.31.10, torch 2.13.0
# One would guess: two heads of a model of width 32 are 16 wide.
# What happens: a head is 64 wide whatever the model's width: the projections are 128 x 32.
# So: attn_dim_head=dim // heads.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="queries (128, 32); with attn_dim_head=16 (32, 32)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check x-transformers==2.31.10 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from x_transformers import Decoder


def queries(**how):
    model = Decoder(dim=32, depth=1, heads=2, **how)
    return next(tuple(value.shape) for name, value in model.named_parameters() if name.endswith("to_q.weight"))


print(f"queries {queries()}; with attn_dim_head=16 {queries(attn_dim_head=16)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
