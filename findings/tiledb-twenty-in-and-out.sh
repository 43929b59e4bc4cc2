#!/usr/bin/env bash
# tiledb 0.36.1, NumPy 2.4.6
# One would guess: array[0:20] and array.multi_index[0:20] give the same rows of a sparse array
# What happens: the first leaves step 20 out, the second holds it; and a step that is written again in a later call replaces the earlier one
# So: the end of a range is stated for each of the two
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[3] [33.0] [3, 20] [33.0, 2.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tiledb==0.36.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, tiledb
domain = tiledb.Domain(tiledb.Dim("step", domain=(0, 100), tile=10, dtype=np.int32))
tiledb.Array.create("losses", tiledb.ArraySchema(domain=domain, sparse=True, attrs=[tiledb.Attr("loss", dtype=np.float64)]))
for steps, losses in (([50, 3, 20], [5.0, 3, 2]), ([3], [33.0])):
    with tiledb.open("losses", "w") as array:
        array[steps] = np.array(losses)
with tiledb.open("losses") as array:
    for rows in array[0:20], array.multi_index[0:20]:
        print(rows["step"].tolist(), rows["loss"].tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
