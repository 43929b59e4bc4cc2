#!/usr/bin/env bash
# networkit 11.3 and networkx 3.6.1
# One would guess: the betweenness of a path, not normalised, is one number in both.
# What happens: networkit counts each pair of an undirected graph in both directions: twice as much.
# So: halve it, or normalise both.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="networkx 2, networkit 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkit==11.3 networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkit
import networkx

path = networkx.path_graph(4)
one = max(networkx.betweenness_centrality(path, normalized=False).values())
other = max(networkit.centrality.Betweenness(networkit.nxadapter.nx2nk(path)).run().scores())
print(f"networkx {one:.0f}, networkit {other:.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
