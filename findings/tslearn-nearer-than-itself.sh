#!/usr/bin/env bash
# tslearn 0.10.0, NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1
# One would guess: a series is at a distance of 0 from itself, and no two are nearer than that
# What happens: soft_dtw is -17 for a series of 20 samples and itself, and grows more negative with length: a minimum over all alignments is smoothed; with gamma=0.01 it is -0.0007, and dtw is 0
# So: it is used as a loss, and the mean of the two own values is taken off where a distance is meant
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-17 -37 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tslearn==0.10.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from tslearn.metrics import dtw, soft_dtw
x = np.random.default_rng(0).normal(size=40)
print(f"{soft_dtw(x[:20], x[:20]):.0f} {soft_dtw(x, x):.0f} {dtw(x, x):.0f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
