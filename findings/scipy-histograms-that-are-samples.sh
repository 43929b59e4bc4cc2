#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: the Wasserstein distance between all mass in the first of three bins and all in the third is 2
# What happens: it is 0: the arguments are samples, and 1 0 0 and 0 0 1 are the same three values; bins go first and the masses behind them, as weights; energy_distance does so too
# So: positions are given, with the histograms as u_weights and v_weights
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 0.0 2.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from scipy.stats import energy_distance, wasserstein_distance
a, b = [1, 0, 0], [0, 0, 1]
print(wasserstein_distance(a, b), energy_distance(a, b), wasserstein_distance([0, 1, 2], [0, 1, 2], a, b), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
