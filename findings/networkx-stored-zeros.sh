#!/usr/bin/env bash
# networkx 3.6.1, SciPy 1.17.1
# One would guess: a sparse matrix with two entries, one of them 0, is a graph of one edge, as its dense form is.
# What happens: from_scipy_sparse_array makes an edge of weight 0 of the stored zero; from_numpy_array does not.
# So: degrees, densities and motifs of one wiring depend on how it was stored: eliminate_zeros() first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="edges: 2 from the sparse matrix, 1 from the dense one"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
import numpy as np
from scipy.sparse import csr_array

wiring = csr_array((np.array([1.0, 0.0]), ([0, 1], [1, 2])), shape=(3, 3))
sparse = nx.from_scipy_sparse_array(wiring, create_using=nx.DiGraph)
dense = nx.from_numpy_array(wiring.toarray(), create_using=nx.DiGraph)
print(f"edges: {sparse.number_of_edges()} from the sparse matrix, {dense.number_of_edges()} from the dense one")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
