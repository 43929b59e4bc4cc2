#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: fcluster(tree, 2) cuts a tree into two clusters, or at a distance of 2
# What happens: 2 is a limit for how inconsistent a link is: two clouds a hundred spreads apart are one cluster; criterion='maxclust' and criterion='distance' find two
# So: the criterion is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 2 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
rng = np.random.default_rng(0)
tree = linkage(np.concatenate([rng.normal(0, 0.1, (10, 2)), rng.normal(10, 0.1, (10, 2))]))
for settings in {}, {"criterion": "maxclust"}, {"criterion": "distance"}:
    print(fcluster(tree, 2, **settings).max(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
