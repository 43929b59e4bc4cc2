#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: score() of a canonical correlation analysis is, or follows, the canonical correlation
# What happens: it is the share of the variance of Y that is predicted, over all columns: 0.20 where the two have a canonical correlation of 0.99, since four of five columns are noise
# So: transform() is called, and the correlation of the two scores is taken on data that were held out
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.99 0.20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.cross_decomposition import CCA
rng = np.random.default_rng(0)
shared = rng.normal(size=(500, 1))
X = np.c_[shared + 0.1 * rng.normal(size=(500, 1)), rng.normal(size=(500, 2))]
Y = np.c_[shared + 0.1 * rng.normal(size=(500, 1)), rng.normal(size=(500, 4))]
cca = CCA(1).fit(X, Y)
a, b = cca.transform(X, Y)
print(f"{np.corrcoef(a[:, 0], b[:, 0])[0, 1]:.2f} {cca.score(X, Y):.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
