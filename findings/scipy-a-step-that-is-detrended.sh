#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: a trend with a bend at the third sample is one line that bends there
# What happens: detrend(x, bp=3) takes a line out of each part on its own: 0, 1, 2, 10, 11, 12 becomes 0 throughout, the jump between the parts with it
# So: a bend is put where no event is looked for
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 2.6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.signal import detrend
x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
for settings in {"bp": 3}, {}:
    print(f"{np.abs(detrend(x, **settings)).max():.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
