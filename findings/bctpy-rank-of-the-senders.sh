#!/usr/bin/env bash
# bctpy 0.6.1, networkx 3.6.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: rows of a matrix are senders throughout bctpy, so that PageRank is highest for who receives most
# What happens: degrees take rows for senders, pagerank_centrality takes them for receivers: where 0 sends to 1 and 2 it gives 0 the highest rank, 0.57, and networkx 0.21 for the same matrix
# So: the matrix is transposed for pagerank_centrality, and one pair of a known direction tried for each measure
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 2.0 0.57 0.26"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bctpy==0.6.1 networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bct
import networkx as nx
import numpy as np
A = np.zeros((3, 3))
A[0, 1] = A[0, 2] = 1
ins, outs, _ = bct.degrees_dir(A)
print(ins[0], outs[0], f"{bct.pagerank_centrality(A, 0.85)[0]:.2f} {nx.pagerank(nx.from_numpy_array(A, create_using=nx.DiGraph))[0]:.2f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
