#!/usr/bin/env bash
# lingam 1.8.2, NumPy 2.4.6
# One would guess: adjacency_matrix_[i, j] is the effect of i on j, as in networkx's matrices
# What happens: it is that of j on i: where 0 drives 1, the 2.0 stands at [1, 0], and networkx reads it as 1 -> 0
# So: the matrix is transposed before it is made a graph
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[0.0, 0.0], [2.0, 0.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lingam==1.8.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import lingam, numpy as np
rng = np.random.default_rng(0)
cause = rng.uniform(size=1000)
model = lingam.DirectLiNGAM()
model.fit(np.column_stack([cause, 2 * cause + 0.5 * rng.uniform(size=1000)]))
print(model.adjacency_matrix_.round(1).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
