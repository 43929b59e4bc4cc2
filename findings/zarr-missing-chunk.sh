#!/usr/bin/env bash
# zarr 3.1.6
# One would guess: reading an array of which a chunk's file is gone raises an error.
# What happens: the missing part is filled with the fill value, 0, without a word.
# So: a recording copied in part reads as silence: compare digests, or count chunks.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 0.0, 0.0, 4.0, 5.0, 6.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pathlib import Path

import numpy as np
import zarr

array = zarr.open("recording.zarr", mode="w", shape=(6,), chunks=(3,), dtype="f4")
array[:] = np.arange(1, 7)
Path("recording.zarr", "c", "0").unlink()
print(zarr.open("recording.zarr", mode="r")[:].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
