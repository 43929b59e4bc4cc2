#!/usr/bin/env bash
# infomap 2.16.0, networkx 3.6.1
# One would guess: a link from a source to a target is directed, however it is added
# What happens: links that are added one by one go both ways unless directed=True; those of networkx's directed graph keep their direction, and flows differ
# So: modules of a wiring are asked for with directed=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.21 0.21; 0.08 0.29; 0.08 0.29;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check infomap==2.16.0 networkx==3.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx
from infomap import Infomap
links = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3)]
def flow(**settings):
    return Infomap(silent=True, **settings)
one_by_one, told, graph = flow(), flow(directed=True), flow()
for link in links:
    one_by_one.add_link(*link)
    told.add_link(*link)
graph.add_networkx_graph(networkx.DiGraph(links))
for search in one_by_one, told, graph:
    search.run()
    flows = {node.node_id: node.flow for node in search.nodes}
    print(f"{flows[0]:.2f} {flows[3]:.2f}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
