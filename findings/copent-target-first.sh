#!/usr/bin/env bash
# copent 0.5.7, NumPy 2.4.6
# One would guess: transent(x, y) is the transfer entropy from x to y
# What happens: it is that from y to x: where x drives y it is near 0, and transent(y, x) is 1.1
# So: a pair whose direction is known is tried first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 1.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check copent==0.5.7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from copent import transent
rng = np.random.default_rng(0)
x = rng.normal(size=400)
y = 0.8 * np.roll(x, 1) + 0.3 * rng.normal(size=400)
print(f"{abs(transent(x, y, 1)):.1f} {transent(y, x, 1):.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
