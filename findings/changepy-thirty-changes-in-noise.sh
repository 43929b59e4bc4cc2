#!/usr/bin/env bash
# changepy 0.4.0, NumPy 2.4.6
# One would guess: white noise has no change, and a step in the middle one
# What happens: with the cost of mean and variance, and its own penalty, 200 values of noise have more than 30, many two samples apart; a segment of two may be almost constant; the list holds 0, the start, as well
# So: noise of the same length is tried first, and a shortest segment is set
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True {0}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check changepy==0.4.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from changepy import pelt
from changepy.costs import normal_meanvar
rng = np.random.default_rng(0)
found = [pelt(normal_meanvar(rng.normal(size=200)), 200) for _ in range(5)]
print(all(len(f) > 30 for f in found), {int(f[0]) for f in found}, end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
