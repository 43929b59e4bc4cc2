#!/usr/bin/env bash
# kmapper 2.1.0, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: each point lies in a node of the graph, whatever the unit of the points
# What happens: points that DBSCAN calls noise at a distance of 0.5 are in none: 197 of 200 points lie in one where their spread is 0.1, 179 where it is 1, and 6 where it is 10, without a word
# So: the clusterer is given, with a distance that fits, and the points in nodes are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="8 197; 9 179; 2 6;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kmapper==2.1.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import kmapper, numpy as np
x = np.random.default_rng(0).normal(size=(200, 2))
for unit in 0.1, 1, 10:
    mapper = kmapper.KeplerMapper(verbose=0)
    nodes = mapper.map(mapper.fit_transform(x * unit, projection=[0], scaler=None), x * unit)["nodes"]
    print(len(nodes), len({point for node in nodes.values() for point in node}), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
