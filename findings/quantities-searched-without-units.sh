#!/usr/bin/env bash
# quantities 0.16.4, NumPy 2.4.6
# One would guess: 1500 ms lie between 1 s and 2 s for NumPy's functions, or raise
# What happens: interp, searchsorted and histogram compare bare numbers: 1500 is beyond 2, so that 1500 ms are interpolated to the value at 2 s, sorted in after it, and both 1 s and 2 s fall into the bin from 0 to 1500 ms
# So: all are brought to one unit first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 3 [2, 0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import quantities as pq
print(float(np.interp(1500 * pq.ms, [0, 2] * pq.s, [0.0, 1.0])), end=" ")
print(int(np.searchsorted([0, 1, 2] * pq.s, 1500 * pq.ms)), end=" ")
print(np.histogram([1, 2] * pq.s, bins=[0, 1500, 3000] * pq.ms)[0].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
