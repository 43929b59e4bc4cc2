#!/usr/bin/env bash
# gradient-free-optimizers 1.13.0, NumPy 2.4.6
# One would guess: a noisy function is called at each of 100 steps
# What happens: each point is called once and remembered: fewer than 11 calls for ten points, and the best one is the luckiest; memory=False calls 100 times
# So: memory=False is given for what depends on a seed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False; False True;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gradient-free-optimizers==1.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gradient_free_optimizers as gfo, numpy as np
calls = []
def score(point):
    calls.append(point)
    return np.random.normal()
for given in {}, {"memory": False}:
    calls.clear()
    gfo.RandomSearchOptimizer({"x": np.arange(10)}).search(score, n_iter=100, verbosity=[], **given)
    print(len(calls) <= 10, len(calls) == 100, end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
