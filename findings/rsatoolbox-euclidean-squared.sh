#!/usr/bin/env bash
# rsatoolbox 0.3.2
# One would guess: calc_rdm(method="euclidean") gives Euclidean distances: 3.46 between (0, 0, 0) and (2, 2, 2).
# What happens: it gives their squares divided by the number of channels: 4.
# So: take the root of the value times the number of channels where distances are to be compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4.0, by hand 3.46"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rsatoolbox==0.3.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import rsatoolbox

points = np.array([[0.0, 0, 0], [2, 2, 2]])
seen = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(points), method="euclidean").dissimilarities[0, 0]
print(f"{seen}, by hand {np.linalg.norm(points[0] - points[1]):.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
