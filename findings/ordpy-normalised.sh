#!/usr/bin/env bash
# ordpy 1.2.3 and antropy 0.2.3
# One would guess: the permutation entropy of one series is one number in both.
# What happens: ordpy divides by its maximum unless told otherwise, antropy does not: 1.0 and 2.6.
# So: state normalisation and logarithm beside an entropy.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 and 2.6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ordpy==1.2.3 antropy==0.2.3 numpy==2.4.6 scipy==1.17.1 numba==0.68.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import antropy
import numpy as np
import ordpy

series = np.random.default_rng(0).normal(size=400)
print(f"{ordpy.permutation_entropy(series, 3):.1f} and {antropy.perm_entropy(series, 3):.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
