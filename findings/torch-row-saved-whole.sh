#!/usr/bin/env bash
# torch 2.13.0
# One would guess: saving one row of a matrix of a million weights writes a thousand numbers.
# What happens: the file holds the whole matrix: 4 MB.
# So: save row.clone(): a snapshot of a few rows at each step is as large as the network.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="a row: over 4,000,000 bytes True; its clone: under 10,000 True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import io

import torch

weights = torch.randn(1000, 1000)


def size(tensor):
    file = io.BytesIO()
    torch.save(tensor, file)
    return len(file.getvalue())


print(f"a row: over 4,000,000 bytes {size(weights[0]) > 4_000_000}; its clone: under 10,000 {size(weights[0].clone()) < 10_000}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
