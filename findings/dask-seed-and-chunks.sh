#!/usr/bin/env bash
# dask 2026.8.0
# One would guess: a seed gives the same numbers.
# What happens: each chunk has a generator of its own: with other chunks the numbers after the first chunk are others.
# So: fix the chunks with the seed.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="seed 0, chunks of 4 and of 2: the first two numbers equal, the rest not"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dask==2026.8.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import dask.array as da
import numpy as np

four, two = (da.random.default_rng(0).normal(size=4, chunks=chunk).compute() for chunk in (4, 2))
print(
    f"seed 0, chunks of 4 and of 2: the first two numbers {'equal' if np.array_equal(four[:2], two[:2]) else 'differ'}, "
    f"the rest {'too' if np.array_equal(four[2:], two[2:]) else 'not'}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
