#!/usr/bin/env bash
# torch 2.13.0
# One would guess: `except Exception` catches what torch.distributed.checkpoint.load raises for a tensor of another shape.
# What happens: it raises a CheckpointException, which derives from BaseException: the handler is passed by, and the program ends.
# So: catch CheckpointException by its name.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="passed by"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException

dcp.save({"w": torch.ones(3)}, checkpoint_id="saved")
try:
    try:
        dcp.load({"w": torch.zeros(2)}, checkpoint_id="saved")
        print("loaded")
    except Exception:
        print("caught")
except CheckpointException:
    print("passed by")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
