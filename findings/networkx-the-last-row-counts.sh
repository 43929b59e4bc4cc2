#!/usr/bin/env bash
# networkx 3.6.1, pandas 3.1.1
# One would guess: a table of synapses, some rows of which join the same two neurons, becomes a graph whose weights are their sums
# What happens: the last row replaces the others: of 2 and 3 synapses the edge weighs 3, without a word; compose() of two graphs keeps the second's weight as well
# So: rows are grouped and summed first, or a MultiGraph is made
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 10"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
import pandas as pd
table = pd.DataFrame({"pre": [0, 0], "post": [1, 1], "weight": [2, 3]})
graph = nx.from_pandas_edgelist(table, "pre", "post", "weight", create_using=nx.DiGraph)
other = nx.DiGraph([(0, 1, {"weight": 10})])
print(graph[0][1]["weight"], nx.compose(graph, other)[0][1]["weight"], end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
