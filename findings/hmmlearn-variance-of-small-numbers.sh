#!/usr/bin/env bash
# hmmlearn 0.3.3, scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6
# One would guess: the variance of a Gaussian state is that of its data, in whatever unit
# What happens: a prior adds 0.01 over the number of samples (covars_prior): signals of 10 microvolts that are given in volts get a variance half a million times too large, given in microvolts the right one
# So: signals are scaled to a spread near 1 first, or covars_prior=0 is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5.4e+05 1.0e+00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hmmlearn==0.3.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from hmmlearn.hmm import GaussianHMM
x = np.random.default_rng(0).normal(0, 10, (200, 1))
for unit in 1e-6, 1:
    ratio = GaussianHMM(1, random_state=0).fit(x * unit).covars_.item() / (x * unit).var()
    print(f"{ratio:.1e}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
