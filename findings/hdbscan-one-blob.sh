#!/usr/bin/env bash
# scikit-learn 1.9.1, hdbscan 0.8.44
# One would guess: points of one normal distribution are one cluster, and the two implementations agree at their defaults.
# What happens: one cluster is never found (allow_single_cluster is off), and scikit-learn finds some twenty where hdbscan finds two.
# So: a number of clusters from it says nothing about whether there are any: compare with data without clusters.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="scikit-learn 21 and 17, hdbscan 2 and 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hdbscan==0.8.44 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 joblib==1.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import hdbscan
import numpy as np
from sklearn.cluster import HDBSCAN

warnings.simplefilter("ignore")
blobs = [np.random.default_rng(seed).normal(size=(500, 2)) for seed in (0, 1)]
one, other = ([kind().fit(x).labels_.max() + 1 for x in blobs] for kind in (HDBSCAN, hdbscan.HDBSCAN))
print(f"scikit-learn {one[0]} and {one[1]}, hdbscan {other[0]} and {other[1]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
