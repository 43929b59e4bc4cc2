#!/usr/bin/env bash
# padasip 1.2.1
# One would guess: an adaptive filter starts from zero weights: the same data give the same weights.
# What happens: the default, w='random', starts from unseeded random weights: two runs end differently.
# So: w='zeros', or weights of one's own.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="by default: two results; w='zeros': one"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check padasip==1.2.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import padasip

x = np.random.default_rng(0).normal(size=(50, 2))


def last(**how):
    return padasip.filters.FilterLMS(n=2, mu=0.01, **how).run(x @ [1.0, 2.0], x)[2][-1]


def told(**how):
    return "one" if np.array_equal(last(**how), last(**how)) else "two results"


print(f"by default: {told()}; w='zeros': {told(w='zeros')}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
