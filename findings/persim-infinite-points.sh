#!/usr/bin/env bash
# persim 0.4.1, gudhi 3.13.0
# One would guess: two diagrams of which one alone has a point that never dies are infinitely far apart, as gudhi says.
# What happens: persim leaves such points out, with a warning: the distance is 0.
# So: count the points that never die and compare them apart.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="persim 0.0, gudhi inf"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check persim==0.4.1 gudhi==3.13.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2 joblib==1.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gudhi
import numpy as np
import persim

one, other = np.array([[0, np.inf], [0, 1.0]]), np.array([[0, 1.0]])
print(f"persim {persim.bottleneck(one, other)}, gudhi {gudhi.bottleneck_distance(one, other)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
