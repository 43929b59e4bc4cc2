#!/usr/bin/env bash
# quantities 0.16.4
# One would guess: numpy.concatenate of 1 s and 1 ms converts to one unit, or raises.
# What happens: the units are gone: [1, 1] without a dimension.
# So: rescale first, and join the magnitudes.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 1.0] dimensionless"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import quantities as pq

joined = np.concatenate([np.array([1.0]) * pq.s, np.array([1.0]) * pq.ms])
print(joined.magnitude.tolist(), joined.dimensionality)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
