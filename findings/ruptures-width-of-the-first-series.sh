#!/usr/bin/env bash
# ruptures 1.1.10, NumPy 2.4.6, SciPy 1.17.1
# One would guess: one detector that is fitted to series after series finds in each what a new one finds
# What happens: KernelCPD with the kernel rbf takes its width from the first series and keeps it: the same step in a unit a hundred times as coarse is not found after it, and found by a new detector
# So: a detector is made anew for each series, or gamma is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[50, 100] [100] [50, 100]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import ruptures
rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(0, 1, 50), rng.normal(4, 1, 50)])
detector = ruptures.KernelCPD("rbf")
for one, series in (detector, x), (detector, x / 100), (ruptures.KernelCPD("rbf"), x / 100):
    print([int(change) for change in one.fit(series).predict(pen=5)], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
