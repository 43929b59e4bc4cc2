#!/usr/bin/env bash
# pyDOE3 1.6.2, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: runs of a full plan stand in one order, that in which factors are given
# What happens: in fullfact the first factor changes fastest, in ff2n of the same library the last, and ParameterGrid of scikit-learn sorts factors by the alphabet first: the second run differs in width, in depth and in width
# So: results are joined to settings by their values, not by their place
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="width depth width"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyDOE3==1.6.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from pyDOE3 import ff2n, fullfact
from sklearn.model_selection import ParameterGrid
names = ["width", "depth"]
grid = [[run[name] for name in names] for run in ParameterGrid({"width": [1, 2], "depth": [1, 2]})]
for plan in fullfact([2, 2]), ff2n(2), grid:
    first, second = np.array(plan)[:2]
    print(names[int(np.flatnonzero(first != second)[0])], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
