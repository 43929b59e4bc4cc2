#!/usr/bin/env bash
# astropy 8.0.2, NumPy 2.4.6
# One would guess: sigma_clip(x, 3) marks the values beyond three standard deviations: of 1,000 with heavy tails some 20
# What happens: it clips around the median and repeats until nothing is left to clip: over 100 are marked, where one pass (maxiters=1) marks fewer than 25
# So: the number of passes is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from astropy.stats import sigma_clip
x = np.random.default_rng(0).normal(size=1000) ** 3
once, all_of_them = int(sigma_clip(x, 3, maxiters=1).mask.sum()), int(sigma_clip(x, 3).mask.sum())
print(once < 25, all_of_them > 100)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
