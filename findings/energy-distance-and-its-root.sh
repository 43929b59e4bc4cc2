#!/usr/bin/env bash
# SciPy 1.17.1, dcor 0.7, NumPy 2.4.6
# One would guess: energy_distance of two samples is one number in SciPy and dcor
# What happens: SciPy's is the root of dcor's: 0.65 and 0.42
# So: the formula stands beside the number; SciPy's is squared before it is compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.65 0.42 0.42"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 dcor==0.7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import dcor
import numpy as np
import scipy.stats
rng = np.random.default_rng(0)
x, y = rng.normal(size=200), rng.normal(size=200) + 1
a, b = scipy.stats.energy_distance(x, y), dcor.energy_distance(x, y)
print(f"{a:.2f} {b:.2f} {a**2:.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
