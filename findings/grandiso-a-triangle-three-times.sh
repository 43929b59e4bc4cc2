#!/usr/bin/env bash
# grandiso 2.2.0, networkx 3.6.1
# One would guess: a triangle of three neurons holds one cycle, and a pair that is wired both ways no pattern that is wired one way
# What happens: the cycle is found three times, once for each neuron it may begin with; a single edge is found twice in the pair, and a feed-forward loop six times in three neurons that are all wired
# So: counts are divided by the symmetries of the pattern, and edges that must be absent are looked for
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 2 6 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grandiso==2.2.0 networkx==3.6.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx as nx
from grandiso import find_motifs
cycle = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a")])
loop = nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c")])
edge = nx.DiGraph([("a", "b")])
print(len(find_motifs(cycle, nx.DiGraph([(0, 1), (1, 2), (2, 0)]))), len(find_motifs(edge, nx.DiGraph([(0, 1), (1, 0)]))),
      len(find_motifs(loop, nx.complete_graph(3, create_using=nx.DiGraph))), len(find_motifs(loop, loop)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
