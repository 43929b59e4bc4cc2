#!/usr/bin/env bash
# netrd 0.3.0
# One would guess: the graph of a reconstruction has an edge where the influence is strongest
# What happens: Granger causality keeps weights between -1 and 1 by default: the one true link, of 1.1, is left out, and five of at most 0.001 are edges
# So: a wiring is read from weights and their errors, never from a graph that a default cut
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 1.1 False 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check netrd==0.3.0 numpy==2.4.6 scipy==1.17.1 networkx==3.6.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import netrd, numpy as np
draw = np.random.default_rng(0)
series = draw.normal(size=(3, 1000))
series[1, 1:] = 0.9 * series[0, :-1] + 0.3 * draw.normal(size=999)
method = netrd.reconstruction.GrangerCausality()
graph = method.fit(series)
weights = method.results["weights_matrix"]
print(np.unravel_index(weights.argmax(), (3, 3)) == (0, 1), f"{weights.max():.1f}", graph.has_edge(0, 1), graph.number_of_edges())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
