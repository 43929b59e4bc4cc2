#!/usr/bin/env bash
# faiss-cpu 1.15.1
# One would guess: Kmeans fits all points that it is given.
# What happens: at most 256 points a centroid, drawn at random: of 100,000 points and two centroids 512.
# So: set max_points_per_centroid.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="default: off the means; all points: the means"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import faiss
import numpy as np

x = np.random.default_rng(0).normal(size=(100_000, 2)).astype("float32")
x[50_000:] += 10
means = np.array([x[:50_000].mean(0), x[50_000:].mean(0)])


def found(**settings):
    clusters = faiss.Kmeans(2, 2, **settings)
    clusters.train(x)
    centroids = clusters.centroids[np.argsort(clusters.centroids[:, 0])]
    return "the means" if np.abs(centroids - means).max() < 1e-3 else "off the means"


print(f"default: {found()}; all points: {found(max_points_per_centroid=100_000)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
