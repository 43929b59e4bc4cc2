#!/usr/bin/env bash
# tiledb 0.36.1, NumPy 2.4.6
# One would guess: cells of a dense array of integers that were never written are 0, as in zarr and HDF5
# What happens: they are the lowest integer, -2147483648, and 255 for uint8, which are values as well; of floats NaN; Attr(fill=0) changes it
# So: a fill value is named, and a sum over a range that was written in part is not trusted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'a': [-2147483648, 5, -2147483648], 'b': [255, 5, 255], 'c': [nan, 5.0, nan]}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tiledb==0.36.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, tiledb
kinds = {"a": np.int32, "b": np.uint8, "c": np.float64}
domain = tiledb.Domain(tiledb.Dim("i", domain=(0, 2), tile=3, dtype=np.int32))
tiledb.Array.create("cells", tiledb.ArraySchema(domain=domain, attrs=[tiledb.Attr(k, dtype=d) for k, d in kinds.items()]))
with tiledb.open("cells", "w") as cells:
    cells[1:2] = {k: np.array([5], d) for k, d in kinds.items()}
with tiledb.open("cells") as cells:
    print({k: v.tolist() for k, v in cells[:].items()})
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
