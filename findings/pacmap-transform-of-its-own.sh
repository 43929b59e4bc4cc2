#!/usr/bin/env bash
# pacmap 0.9.1
# One would guess: transform() of the points that were fitted gives the places that fit_transform() gave them
# What happens: places are near, not equal: each point is placed anew between its neighbours
# So: maps of checkpoints are fitted once for all of them, or compared through transform() alone
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="fit twice True, transform False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pacmap==0.9.1 numpy==2.4.6 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
logging.disable(50)
import numpy as np, pacmap
points = np.random.default_rng(0).normal(size=(300, 20)).astype("f4")
points[:150] += 3
fit = pacmap.PaCMAP(random_state=1)
places = fit.fit_transform(points)
again = pacmap.PaCMAP(random_state=1).fit_transform(points)
print(end="fit twice " + str(np.allclose(places, again)) + ", transform " + str(np.allclose(places, fit.transform(points, basis=points), atol=0.1)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
