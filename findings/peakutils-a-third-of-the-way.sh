#!/usr/bin/env bash
# peakutils 1.3.5, NumPy 2.4.6, SciPy 1.17.1
# One would guess: indexes finds each of three peaks of height 10, 5 and 2
# What happens: it leaves out what is below 0.3 of the way from the lowest to the highest value: the peak of 2 is not found, and one very high peak hides all others; thres=0 finds all three
# So: a threshold is named, in the unit of the series with thres_abs=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[10, 30] [10, 30, 50] [61]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check peakutils==1.3.5 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, peakutils
y = np.zeros(60)
y[[10, 30, 50]] = 10, 5, 2
print(peakutils.indexes(y).tolist(), peakutils.indexes(y, thres=0).tolist(), peakutils.indexes(np.append(y, [0, 1000, 0])).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
