#!/usr/bin/env bash
# neurokit2 0.3.0, NumPy 2.4.6
# One would guess: entropy_shannon of 500 and of 4,000 numbers drawn from one normal distribution is about the same
# What happens: without symbolize= each number that differs is a symbol of its own: the entropy is the logarithm of the length, 8.97 and 11.97, whatever the distribution
# So: activity is put into bins first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="8.97 8.97; 11.97 11.97;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neurokit2==0.3.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neurokit2 as nk, numpy as np
draws = np.random.default_rng(0)
for n in 500, 4000:
    print(*[round(float(nk.entropy_shannon(x)[0]), 2) for x in (draws.normal(size=n), draws.exponential(size=n))], end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
