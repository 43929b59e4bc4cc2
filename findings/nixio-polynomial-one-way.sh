#!/usr/bin/env bash
# nixio 1.5.4, NumPy 2.4.6
# One would guess: what is written to an element of a data array is what is read from it.
# What happens: polynom_coefficients are applied when values are read, and not undone when they are written: 7 becomes 15.
# So: write raw values, or set the coefficients last.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="wrote 7, read 15"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nixio==1.5.4 packaging==26.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
import tempfile

import nixio
import numpy as np

with tempfile.TemporaryDirectory() as folder:
    file = nixio.File.open(os.path.join(folder, "recording.nix"), nixio.FileMode.Overwrite)
    array = file.create_block("session", "recording").create_data_array("trace", "voltage", data=np.zeros(3))
    array.polynom_coefficients = [1.0, 2.0]
    array[0] = 7.0
    print(f"wrote 7, read {array[0].item():.0f}")
    file.close()
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
