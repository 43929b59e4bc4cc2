#!/usr/bin/env bash
# python-louvain 0.16, networkx 3.6.1
# One would guess: a smaller `resolution` gives fewer communities in both, as the modularity's formula says.
# What happens: in networkx it does; in python-louvain 0.3 gives twice as many as 1.
# So: name the library beside a resolution, and do not carry one over.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="resolution 0.3 and 1: python-louvain 8 and 4, networkx 2 and 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-louvain==0.16 networkx==3.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import community
import networkx

graph = networkx.karate_club_graph()
one = [len(set(community.best_partition(graph, resolution=r, random_state=0).values())) for r in (0.3, 1)]
other = [len(networkx.community.louvain_communities(graph, resolution=r, seed=0)) for r in (0.3, 1)]
print(f"resolution 0.3 and 1: python-louvain {one[0]} and {one[1]}, networkx {other[0]} and {other[1]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
