#!/usr/bin/env bash
# prince 0.23.0, scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: principal components have the shares of variance that scikit-learn's PCA gives
# What happens: columns are divided by their standard deviation first (rescale_with_std): of columns with spreads of 10, 1 and 0.1 each component has about a third, where the first has 99 %
# So: which of the two it is, covariance or correlation, is said with the number of components
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[35.0, 33.0, 32.0] [99.0, 1.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prince==0.23.0 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pandas as pd, prince
from sklearn.decomposition import PCA
x = np.random.default_rng(0).normal(size=(300, 3)) * [10, 1, 0.1]
print(prince.PCA(n_components=3).fit(pd.DataFrame(x)).percentage_of_variance_.round().tolist(), (100 * PCA(3).fit(x).explained_variance_ratio_).round().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
