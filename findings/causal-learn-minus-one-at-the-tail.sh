#!/usr/bin/env bash
# causal-learn 0.1.4.8
# One would guess: in the matrix of the graph that PC finds, an entry of 1 at [i, j] says i -> j.
# What happens: -1 marks the tail and 1 the arrow's head: for 0 -> 2 the entry [0, 2] is -1, and the 1 stands at [2, 0].
# So: i -> j is graph[i, j] == -1 and graph[j, i] == 1; a test for 1 alone reverses every edge.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 -> 2 and 1 -> 2: [[0, 0, -1], [0, 0, -1], [1, 1, 0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check causal-learn==0.1.4.8 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from causallearn.search.ConstraintBased.PC import pc

draw = np.random.default_rng(0).normal
a, b = draw(size=2000), draw(size=2000)
found = pc(np.c_[a, b, a + b + 0.5 * draw(size=2000)], show_progress=False)
print("0 -> 2 and 1 -> 2:", found.G.graph.astype(int).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
