#!/usr/bin/env bash
# hnswlib 0.8.0
# One would guess: distances in the space l2 are Euclidean, and of 2,000 points the ten nearest are found
# What happens: they are squared, and with the defaults about a tenth of the neighbours of points in 50 dimensions is missing
# So: dimensions from ratios of distances are halved by squares; neighbours are searched for exactly where a figure depends on them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="squared True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hnswlib==0.8.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import hnswlib, numpy as np
points = np.random.default_rng(0).normal(size=(2000, 50)).astype("f4")
index = hnswlib.Index(space="l2", dim=50)
index.init_index(2000, random_seed=1)
index.set_num_threads(1)
index.add_items(points)
found, distances = index.knn_query(points[:300], k=10)
exact = ((points[:300, None] - points[None]) ** 2).sum(-1)
nearest = np.argsort(exact, axis=1)[:, :10]
missing = 1 - np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, nearest)])
print("squared" if np.allclose(distances[0], exact[0, found[0]], rtol=1e-3) else "not", missing > 0.03)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
