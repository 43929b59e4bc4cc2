#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: which entries of a sparse component, or of a sparse network of partial correlations, are 0 does not depend on the unit
# What happens: penalties are sizes in the unit of the data: of five columns a sparse component holds all in one unit, four in one a hundred times as coarse, and none in the next; a link of GraphicalLasso is there in one and gone at a tenth of the size
# So: columns are standardised first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5 4 0 1 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.covariance import GraphicalLasso
from sklearn.decomposition import SparsePCA
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5))
X[:, 1] += 2 * X[:, 0]
print(*(int((SparsePCA(1, random_state=0).fit(X * s).components_ != 0).sum()) for s in (100, 1, 0.01)), end=" ")
print(*(int(GraphicalLasso(0.05).fit(X[:, :2] * s).precision_[0, 1] != 0) for s in (1, 0.1)), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
