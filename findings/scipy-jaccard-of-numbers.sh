#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: the Jaccard distance of 0.5, 1 and 0.5, 2 is a half, as one of two entries differs
# What happens: numbers are truth values: what is not 0 is there, and the distance of any two rows without zeros is 0; in hamming one of two differs
# So: rows are compared with hamming, or made of truth values first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from scipy.spatial.distance import hamming, jaccard
print(float(jaccard([0.5, 1.0], [0.5, 2.0])), float(hamming([0.5, 1.0], [0.5, 2.0])))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
