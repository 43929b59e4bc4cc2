#!/usr/bin/env bash
# torch 2.13.0
# One would guess: torch.distributed.checkpoint.load of a float32 tensor into a float16 one raises, or gives float32 back.
# What happens: the values are rounded to float16 without a word.
# So: what is loaded has the type of the tensor that was given, whatever was saved: compare types with the checkpoint's metadata.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="torch.float16, 0.33325195"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
import torch.distributed.checkpoint as dcp

dcp.save({"w": torch.tensor([1 / 3])}, checkpoint_id="saved")
state = {"w": torch.zeros(1, dtype=torch.float16)}
dcp.load(state, checkpoint_id="saved")
print(f"{state['w'].dtype}, {state['w'].item():.8f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
