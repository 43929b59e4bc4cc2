#!/usr/bin/env bash
# pyhomogeneity 1.1, NumPy 2.4.6
# One would guess: a test of one series has one p-value, above 0
# What happens: it is simulated without a seed: five calls give several values, and that of a clear step is 0
# So: NumPy's global generator is seeded before each test, and a p-value of 0 is read as below 1 / sim
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyhomogeneity==1.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pyhomogeneity
noise = np.random.default_rng(0).normal(size=40)
print(len({float(pyhomogeneity.buishand_q_test(noise, sim=1000).p) for _ in range(5)}) > 1,
      float(pyhomogeneity.pettitt_test(noise + 9 * (np.arange(40) > 19), sim=1000).p))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
