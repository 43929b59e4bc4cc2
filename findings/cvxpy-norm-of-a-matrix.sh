#!/usr/bin/env bash
# cvxpy 1.9.3, NumPy 2.4.6
# One would guess: norm of a matrix is the one that numpy.linalg.norm gives, whose name and arguments it has: the root of the sum of squares
# What happens: it is the largest singular value: 4 where NumPy has 5; norm(X, 'fro') is NumPy's
# So: the norm of a weight matrix that is penalised is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4.0 5.0 5.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cvxpy==1.9.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import cvxpy, numpy as np
a = np.array([[3.0, 0], [0, 4]])
print(round(float(cvxpy.norm(a).value), 6), float(np.linalg.norm(a)), round(float(cvxpy.norm(a, "fro").value), 6))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
