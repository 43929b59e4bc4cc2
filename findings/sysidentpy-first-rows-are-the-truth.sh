#!/usr/bin/env bash
# sysidentpy 0.9.0
# One would guess: predict gives a prediction for each row
# What happens: the first rows, as many as the longest lag, are copies of the true output: a score over all rows counts them as hits
# So: the first max_lag rows are left out of a score
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[True, True, True, False, False, False]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sysidentpy==0.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from sysidentpy.basis_function import Polynomial
from sysidentpy.model_structure_selection import FROLS
rng = np.random.default_rng(0)
model = FROLS(n_terms=3, ylag=3, xlag=3, basis_function=Polynomial(degree=1))
noise = rng.normal(size=(4, 200, 1))
model.fit(X=noise[0], y=noise[1])
print((model.predict(X=noise[2], y=noise[3])[:6] == noise[3][:6]).ravel().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
