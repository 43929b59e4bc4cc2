#!/usr/bin/env bash
# cripser 0.0.37
# One would guess: the component that never dies has a death of infinity
# What happens: its death is the largest float, 1.8e308, which is finite: a mean of lifetimes is of that size, or infinite
# So: classes that never die are told by their number in a dimension, not by isinf
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cripser==0.0.37 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import cripser, numpy as np
pairs = cripser.computePH(np.random.default_rng(0).random((5, 5)), maxdim=1)
deaths = pairs[:, 2]
print(np.isinf(deaths).sum(), (deaths == np.finfo(float).max).sum())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
