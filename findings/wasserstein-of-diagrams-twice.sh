#!/usr/bin/env bash
# gudhi 3.13.0, persim 0.4.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the Wasserstein distance of order 1 between two diagrams is one number in gudhi and persim
# What happens: points are as far apart as their larger coordinate in gudhi (internal_p is infinite) and in a straight line in persim: 1.5 and 1.62; internal_p=2 gives persim's only where no point is matched to the diagonal in another way
# So: the ground metric is stated and given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.50 1.62 1.62"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gudhi==3.13.0 persim==0.4.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gudhi.hera
import numpy as np
import persim
a, b = np.array([[0.0, 3], [5, 9]]), np.array([[1, 3.5], [5, 9.5]])
print(f"{gudhi.hera.wasserstein_distance(a, b):.2f} {persim.wasserstein(a, b):.2f} {gudhi.hera.wasserstein_distance(a, b, internal_p=2):.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
