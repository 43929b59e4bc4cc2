#!/usr/bin/env bash
# PyGSP 0.6.1, NumPy 2.4.6
# One would guess: of a directed graph the Laplacian is directed, or refused.
# What happens: it is that of the mean of both directions, without a word: an edge of weight 1 counts a half, and one that has no counterpart has one.
# So: ask is_directed() first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="directed True, Laplacian [[0.5, -0.5, 0.0], [-0.5, 1.5, -1.0], [0.0, -1.0, 1.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pygsp==0.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pygsp

weights = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
graph = pygsp.graphs.Graph(weights)
graph.compute_laplacian()
print(f"directed {bool(graph.is_directed())}, Laplacian {graph.L.toarray().tolist()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
