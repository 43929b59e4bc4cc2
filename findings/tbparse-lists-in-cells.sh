#!/usr/bin/env bash
# tbparse 0.0.9, tensorboard 2.21.0, torch 2.13.0
# One would guess: in a pivoted table the last value of a repeated step is kept.
# What happens: its cell holds a list, and the column objects, so that a resumed run cannot be drawn.
# So: take the long table and drop duplicates.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 2.0] then 3.0, dtype object"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tbparse==0.0.9 tensorboard==2.21.0 torch==2.13.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
from tbparse import SummaryReader
from torch.utils.tensorboard import SummaryWriter

writer = SummaryWriter("board")
for step, value in ((7, 1.0), (7, 2.0), (8, 3.0)):
    writer.add_scalar("loss", value, step)
writer.close()
column = SummaryReader("board", pivot=True).scalars["loss"]
print(f"{column[0]} then {column[1]}, dtype {column.dtype}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
