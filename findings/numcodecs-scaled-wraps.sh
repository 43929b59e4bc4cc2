#!/usr/bin/env bash
# numcodecs 0.16.6
# One would guess: a value outside of what the small type holds raises, or is cut at the bound.
# What happens: it wraps around: with a scale of 10 in one byte, 26 comes back as 0.4 and -1 as 24.6.
# So: choose scale and offset from the data's range, and compare what comes back once.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 25.0, 0.4, 24.6] of [0, 25, 26, -1]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numcodecs==0.16.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numcodecs
import numpy as np

codec = numcodecs.FixedScaleOffset(offset=0, scale=10, dtype="f8", astype="u1")
print(f"{codec.decode(codec.encode(np.array([0.0, 25, 26, -1]))).round(3).tolist()} of [0, 25, 26, -1]")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
