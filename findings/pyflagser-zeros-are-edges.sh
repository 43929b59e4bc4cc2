#!/usr/bin/env bash
# pyflagser 0.4.7, NumPy 2.4.6
# One would guess: a matrix of weights with one entry that is not 0 has one edge
# What happens: in flagser_weighted a 0 of a dense matrix is an edge that is there from the start: three nodes have six edges and six triangles; numpy.inf, or a sparse matrix, leaves them out, as flagser_unweighted does with 0
# So: connectomes are given as sparse matrices
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[3, 6, 6] [3, 1] [3, 1]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyflagser==0.4.7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pyflagser
from scipy.sparse import coo_matrix
a = np.array([[0, 1.0, 0], [0, 0, 0], [0, 0, 0]])
print(pyflagser.flagser_weighted(a)["cell_count"], pyflagser.flagser_weighted(coo_matrix(([1.0], ([0], [1])), shape=(3, 3)))["cell_count"], pyflagser.flagser_unweighted(a)["cell_count"])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
