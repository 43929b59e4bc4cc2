#!/usr/bin/env bash
# giotto-tda 0.6.2, scikit-learn 1.3.2
# One would guess: the bottleneck distance of two diagrams is one number in both directions
# What happens: it is approximate by default, and 0.9330 one way and 0.9319 the other; delta=0 makes it exact
# So: metric_params={'delta': 0} is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check giotto-tda==0.6.2 scikit-learn==1.3.2 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from gtda.diagrams import PairwiseDistance
from gtda.homology import VietorisRipsPersistence
angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
circle = np.column_stack([np.cos(angles), np.sin(angles)])
diagrams = VietorisRipsPersistence(homology_dimensions=(0, 1)).fit_transform([circle, np.random.default_rng(0).normal(size=(20, 2))])
for delta in 0.01, 0.0:
    found = PairwiseDistance(metric="bottleneck", metric_params={"delta": delta}).fit_transform(diagrams)
    print(bool(found[0, 1] == found[1, 0]), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
