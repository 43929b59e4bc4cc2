#!/usr/bin/env bash
# brainsmash 0.11.0, NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1
# One would guess: a surrogate of a map has its values, or at least its mean
# What happens: it has a mean of 0, whatever that of the map is, and other values: of a map between 0 and 6 some are negative; resample=True gives the map's own values in another order
# So: resample=True is given where more than a correlation is computed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 True 2.3 False 2.3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brainsmash==0.11.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from brainsmash.mapgen.base import Base
places = np.random.default_rng(0).random((100, 2))
distances = np.linalg.norm(places[:, None] - places, axis=-1)
values = 5 * distances[0]
for settings in {}, {"resample": True}:
    surrogate = Base(values, distances, seed=1, **settings)(1)
    print(f"{abs(surrogate.mean()):.1f} {(surrogate < 0).any()}", end=" ")
print(f"{values.mean():.1f}", end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
