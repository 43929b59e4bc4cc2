#!/usr/bin/env bash
# dask 2026.8.0, NumPy 2.4.6
# One would guess: a percentile does not depend on how an array is cut.
# What happens: percentiles of chunks are merged: the 90th of 1000 exponential numbers rises from 2.31 to 3.16 as chunks get smaller.
# So: one chunk, or compute() first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.31 in one chunk, 2.62 in 4, 2.88 in 10, 3.16 in 100; NumPy 2.31"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dask==2026.8.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import dask.array as da
import numpy as np

x = np.random.default_rng(0).exponential(size=1000)
one, four, ten, hundred = (da.percentile(da.from_array(x, chunks=1000 // n), [90]).compute()[0] for n in (1, 4, 10, 100))
print(f"{one:.2f} in one chunk, {four:.2f} in 4, {ten:.2f} in 10, {hundred:.2f} in 100; NumPy {np.percentile(x, 90):.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
