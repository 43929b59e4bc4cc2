#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: two random partitions of a hundred neurons have a normalised mutual information near 0
# What happens: with fifty groups each it is 0.74: it is normalised and not corrected for chance, as is v_measure_score; adjusted_rand_score and adjusted_mutual_info_score are near 0
# So: an adjusted score is used, or that of shuffled labels stands beside it
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score
a, b = np.random.default_rng(0).integers(0, 50, (2, 100))
print(normalized_mutual_info_score(a, b) > 0.7, abs(adjusted_mutual_info_score(a, b)) < 0.1, abs(adjusted_rand_score(a, b)) < 0.1, end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
