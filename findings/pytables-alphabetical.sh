#!/usr/bin/env bash
# tables 3.11.1
# One would guess: the columns of a table stand in the order of the dictionary that describes it.
# What happens: they are sorted by name, and rows given as tuples go into them in that order, cast without a word: losses into steps.
# So: describe a table by a NumPy dtype, give `pos` to each column, or append structured arrays.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="of a dictionary: ['loss', 'step'] [(1.0, 0), (2.0, 0)], of a dtype: ['step', 'loss'] [(1, 0.75), (2, 0.5)]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tables==3.11.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import tables

rows = [(1, 0.75), (2, 0.5)]
with tables.open_file("a.h5", "w") as file:
    one = file.create_table("/", "one", {"step": tables.Int64Col(), "loss": tables.Float64Col()})
    two = file.create_table("/", "two", np.dtype([("step", "i8"), ("loss", "f8")]))
    for table in (one, two):
        table.append(rows)
        table.flush()
    told = [f"{table.colnames} {table.read().tolist()}" for table in (one, two)]
print(f"of a dictionary: {told[0]}, of a dtype: {told[1]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
