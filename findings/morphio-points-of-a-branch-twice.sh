#!/usr/bin/env bash
# MorphIO 3.5.0
# One would guess: a cell of four points besides its soma has four points.
# What happens: six: each branch starts with the last point of the one it comes from.
# So: leave out the first point of sections that have a parent before points are counted or averaged.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 points, 4 of them different"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check morphio==3.5.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
import tempfile

import morphio

rows = ["1 1 0 0 0 2 -1", "2 3 2 0 0 1 1", "3 3 5 0 0 1 2", "4 3 8 2 0 1 3", "5 3 8 -2 0 1 3"]
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "cell.swc")
    with open(path, "w") as file:
        file.write(chr(10).join(rows) + chr(10))
    cell = morphio.Morphology(path)
print(f"{len(cell.points)} points, {len({tuple(point) for point in cell.points.tolist()})} of them different")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
