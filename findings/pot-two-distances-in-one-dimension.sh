#!/usr/bin/env bash
# POT 0.9.7.post1, NumPy 2.4.6
# One would guess: two functions for the cost of transport on a line give points 3 apart a cost of 3.
# What happens: wasserstein_1d gives 3, emd2_1d 9: costs are squared by default in emd2_1d and dist, distances in wasserstein_1d.
# So: name the metric.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="wasserstein_1d 3, emd2_1d 9, with metric='euclidean' 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check POT==0.9.7.post1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import ot

here = np.array([0.0, 1.0])
there = here + 3
print(
    f"wasserstein_1d {float(ot.wasserstein_1d(here, there)):.0f}, emd2_1d {float(ot.emd2_1d(here, there)):.0f}, "
    f"with metric='euclidean' {float(ot.emd2_1d(here, there, metric='euclidean')):.0f}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
