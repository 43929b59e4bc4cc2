#!/usr/bin/env bash
# george 0.4.4, NumPy 2.4.6
# One would guess: ExpSquaredKernel(2) has a length of 2, as in scikit-learn and tinygp
# What happens: the argument is the square of the length: points one apart have a covariance of 0.78, which is that of a length of 1.41, where 2 gives 0.88
# So: lengths are squared before they are handed over
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.78 0.88 0.78"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check george==0.4.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from george.kernels import ExpSquaredKernel
print(*[round(float(v), 2) for v in (ExpSquaredKernel(2.0).get_value(np.array([[0.0], [1.0]]))[0, 1], np.exp(-1 / (2 * 2**2)), np.exp(-1 / (2 * 2)))])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
