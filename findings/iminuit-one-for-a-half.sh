#!/usr/bin/env bash
# iminuit 2.33.0
# One would guess: the error of a mean from a negative logarithm of a likelihood is sigma over the root of n
# What happens: a plain function is taken for a sum of squares (errordef 1): the error is 1.41 times that, and the fit is called valid
# So: errors of fits are compared with a case whose error is known
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.41 True 1.00 True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check iminuit==2.33.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from iminuit import Minuit
y = np.random.default_rng(0).normal(0, 5, 50)
def likelihood(mean): return 0.5 * np.sum((y - mean) ** 2) / 25
for half in False, True:
    fit = Minuit(likelihood, mean=0)
    if half: fit.errordef = Minuit.LIKELIHOOD
    fit.migrad()
    print(f"{fit.errors['mean'] / (5 / 50**0.5):.2f} {fit.valid}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
