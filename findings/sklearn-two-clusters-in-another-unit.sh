#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: two clouds far apart are two clusters in whatever unit
# What happens: SpectralClustering measures nearness by exp(-d^2): two clouds of spread 1 that are six apart are found as they are, and hardly or not at all a hundred times as large, since no point is near another then; a warning speaks of a graph that is not connected
# So: gamma is set by the data, or affinity='nearest_neighbors' is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = np.r_[rng.normal(0, 1, (50, 2)), rng.normal(6, 1, (50, 2))]
for unit in 1, 100:
    print(adjusted_rand_score(np.repeat([0, 1], 50), SpectralClustering(2, random_state=0).fit_predict(X * unit)) > 0.5, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
