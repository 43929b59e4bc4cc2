#!/usr/bin/env bash
# neuprint-python 0.6.4, pandas 3.1.1
# One would guess: the matrix of a table of connections has a row and a column for each neuron, in one order
# What happens: rows are the neurons that send, columns those that receive, each in the order in which they turn up: the entry [0, 0] may be from one neuron to another, and the matrix looks square
# So: the matrix is reindexed by one list of neurons before it is used as a wiring
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[3, 1] [2, 3] [[5, 0], [2, 1]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neuprint-python==0.6.4 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pandas as pd
from neuprint.utils import connection_table_to_matrix
table = pd.DataFrame({"bodyId_pre": [3, 1, 1], "bodyId_post": [2, 3, 2], "weight": [5, 1, 2]})
matrix = connection_table_to_matrix(table, "bodyId")
print(matrix.index.tolist(), matrix.columns.tolist(), matrix.to_numpy().tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
