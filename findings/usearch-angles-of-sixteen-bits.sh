#!/usr/bin/env bash
# usearch 2.26.6, NumPy 2.4.6
# One would guess: an index without arguments keeps vectors as they are and measures distances between them
# What happens: it measures angles, so that a vector and ten times it are at a distance of 0, and keeps bfloat16: what comes back is off in the third digit; metric='l2sq' and dtype='f32' are named
# So: the metric and the type of an index are stated
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from usearch.index import Index
vectors = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
index = Index(ndim=4)
index.add(np.arange(3), vectors)
off = np.abs(index.get(0) - vectors[0]).max()
print(bool(1e-4 < off < 1e-2), bool(index.search(10 * vectors[1], 1).distances[0] < 1e-2), int(index.search(10 * vectors[1], 1).keys[0]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
