#!/usr/bin/env bash
# pyentrp 2.2.0, antropy 0.2.3, NumPy 2.4.6
# One would guess: the sample entropy with sample_length=2 is that of patterns of two, as elsewhere
# What happens: it ends with patterns of one: its last value is antropy's for order 1, and sample_length=3 gives antropy's for order 2; multiscale_entropy inherits it
# So: a length of one more is given, and a known value is compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.188 2.212 2.188 2.212"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyentrp==2.2.0 antropy==0.2.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import antropy, numpy as np
from pyentrp import entropy
series = np.random.default_rng(0).normal(size=1000)
series /= series.std()
print(*[f"{entropy.sample_entropy(series, length, 0.2)[-1]:.3f}" for length in (2, 3)],
      *[f"{antropy.sample_entropy(series, order):.3f}" for order in (1, 2)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
