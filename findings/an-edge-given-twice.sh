#!/usr/bin/env bash
# networkit 11.3, igraph 1.0.0, rustworkx 0.18.1
# One would guess: an edge that is added twice is one edge, as in networkx
# What happens: it is two in all three: in networkit a node's degree is 2 and its degree centrality as well, and in igraph the density of two nodes is 2
# So: a list of synapses, or an undirected list that names both directions, is made simple first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 2 2 [2.0, 2.0] 2.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkit==11.3 igraph==1.0.0 rustworkx==0.18.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import igraph, networkit, rustworkx
a = networkit.Graph(2)
a.addEdge(0, 1)
a.addEdge(0, 1)
b = igraph.Graph(2, [(0, 1), (0, 1)])
c = rustworkx.PyGraph()
c.add_nodes_from([0, 1])
c.add_edges_from([(0, 1, None)] * 2)
print(a.numberOfEdges(), b.ecount(), c.num_edges(), networkit.centrality.DegreeCentrality(a).run().scores(), b.density())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
