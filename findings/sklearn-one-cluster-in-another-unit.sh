#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: how many normal distributions a mixture finds does not depend on the unit
# What happens: GaussianMixture adds a millionth to each variance: of two clouds of spread 1 that are eight apart the best number by BIC is 2, and 1 in a unit in which the spread is 0.0001, where variances are more than a hundred times too large
# So: columns are standardised first, or reg_covar follows them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 2 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.mixture import GaussianMixture
rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2))])
for unit in 1, 0.01, 0.0001:
    print(1 + int(np.argmin([GaussianMixture(k, random_state=0).fit(x * unit).bic(x * unit) for k in (1, 2, 3)])), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
