#!/usr/bin/env bash
# networkx 3.6.1, igraph 1.0.0, rustworkx 0.18.1, bctpy 0.6.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the transitivity of a cycle of three links, each in the same sense, is one number
# What happens: it is 0 in networkx, which looks for a short cut from the first to the third, 1 in igraph, which forgets directions, and 0.5 in rustworkx and bctpy, where each of three pairs might have two links
# So: it is said which triangles are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 1.0 0.5 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 rustworkx==0.18.1 bctpy==0.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bct
import igraph
import networkx as nx
import rustworkx
edges = [(0, 1), (1, 2), (2, 0)]
graph = rustworkx.PyDiGraph()
graph.extend_from_edge_list(edges)
answers = (
    nx.transitivity(nx.DiGraph(edges)),
    igraph.Graph(edges=edges, directed=True).transitivity_undirected(),
    rustworkx.transitivity(graph),
    bct.transitivity_bd(nx.to_numpy_array(nx.DiGraph(edges))),
)
print(*(float(answer) for answer in answers))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
