#!/usr/bin/env bash
# himalaya 0.4.11, packaging 26.4, scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: Ridge has an intercept, as scikit-learn's has, whose interface it follows
# What happens: it has none by default: a noise-free line with a mean of 10 has a score of about -19, where scikit-learn's is 1.00
# So: fit_intercept=True is set, or both sides are centred within the training part
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 1.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check himalaya==0.4.11 packaging==26.4 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from himalaya.ridge import Ridge
from sklearn.linear_model import Ridge as Usual
x = np.random.default_rng(0).normal(size=(200, 2))
y = x @ [1, 2] + 10
print(Ridge().fit(x, y).score(x, y) < -5, round(float(Ridge(fit_intercept=True).fit(x, y).score(x, y)), 2), round(Usual().fit(x, y).score(x, y), 2))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
