#!/usr/bin/env bash
# permute 0.2, NumPy 2.4.6
# One would guess: a permutation test of two samples that differ by two standard deviations has a small p, whichever of the two is named first
# What happens: two_sample tests whether the first is greater by default: 1.0 in one order and 0.001 in the other, unless alternative='two-sided'
# So: the alternative is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 0.001 0.002"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check permute==0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from permute.core import two_sample
draws = np.random.default_rng(0)
x, y = draws.normal(0, 1, 30), draws.normal(2, 1, 30)
print(*[round(float(two_sample(a, b, seed=1, reps=999)[0]), 3) for a, b in ((x, y), (y, x))], round(float(two_sample(x, y, seed=1, reps=999, alternative="two-sided")[0]), 3))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
