#!/usr/bin/env bash
# netrd 0.3.0
# One would guess: reconstructions of one library agree on which index of a matrix is the source
# What happens: 0 drives 1: transfer entropy has it at [0, 1], free energy and maximum likelihood at [1, 0], and the graphs' arrows as well
# So: each method's direction is tried on a pair whose direction is known, before a baseline is compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0-1 0-1; 1-0 1-0; 1-0 1-0;"
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
for name in "NaiveTransferEntropy", "FreeEnergyMinimization", "MaximumLikelihoodEstimation":
    method = getattr(netrd.reconstruction, name)()
    graph = method.fit(np.sign(series) if name.startswith("Max") else series)
    weights = abs(method.results["weights_matrix"])
    source, target = (int(index) for index in np.unravel_index(weights.argmax(), (3, 3)))
    heaviest = max(graph.edges(data="weight"), key=lambda edge: abs(edge[2]))
    print(f"{source}-{target} {heaviest[0]}-{heaviest[1]}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
