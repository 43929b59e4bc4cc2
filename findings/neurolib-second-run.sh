#!/usr/bin/env bash
# neurolib 0.6.2
# One would guess: a model with a seed gives the same activity each time it runs
# What happens: the second run begins with the noise that the first one ended with, and is another; the third is as the second, and a new model as the first
# So: a simulation that is to be repeated is made anew
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neurolib==0.6.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
logging.disable(50)
import numpy as np
from neurolib.models.wc import WCModel
def model():
    made = WCModel(seed=0)
    made.params.duration = 500
    made.params.sigma_ou = 0.1
    return made
def run(made):
    made.run()
    return made.exc.copy()
first = model()
runs = [run(first) for _ in range(3)]
print(*(np.allclose(a, b) for a, b in ((runs[0], runs[1]), (runs[1], runs[2]), (runs[0], run(model())))))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
