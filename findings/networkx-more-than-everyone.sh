#!/usr/bin/env bash
# networkx 3.6.1
# One would guess: a degree centrality is at most 1, a link to everyone
# What happens: in a directed graph links in and links out are added up and divided by the number of others once: three neurons that are all wired both ways have 2 each
# So: in_degree_centrality and out_degree_centrality are used for wirings
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
graph = nx.complete_graph(3, nx.DiGraph)
print(nx.degree_centrality(graph)[0], nx.in_degree_centrality(graph)[0], end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
