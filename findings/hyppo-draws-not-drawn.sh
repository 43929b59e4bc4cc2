#!/usr/bin/env bash
# hyppo 0.5.2
# One would guess: a test with reps=1000 has a p-value of at least 1/1001.
# What happens: above twenty samples nothing is permuted: `auto=True` takes an approximation by chi-square, and the p-value is 5e-8.
# So: auto=False permutes.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="below 1e-6: True, with auto=False: 0.000999"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hyppo==0.5.2 numpy==2.4.6 scipy==1.17.1 numba==0.68.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from hyppo.independence import Dcorr

x = np.random.default_rng(0).normal(size=100)
automatic = Dcorr().test(x, x**2, reps=1000).pvalue
permuted = Dcorr().test(x, x**2, reps=1000, auto=False, random_state=0).pvalue
print(f"below 1e-6: {automatic < 1e-6}, with auto=False: {permuted:.6f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
