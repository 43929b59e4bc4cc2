#!/usr/bin/env bash
# jumpmodels 0.1.1, NumPy 2.4.6, pandas 3.1.1
# One would guess: how often a jump model changes its state does not depend on the unit
# What happens: the penalty is compared with squares of the data: with one of 50, a step of three spreads has one change as it is, eleven in a unit a hundred times as fine, and none in one a hundred times as coarse
# So: features are standardised first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 11 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jumpmodels==0.1.1 numpy==2.4.6 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from jumpmodels.jump import JumpModel
rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(3, 1, 100), rng.normal(0, 1, 100)])[:, None]
for unit in 1, 100, 0.01:
    model = JumpModel(2, jump_penalty=50.0).fit(x * unit)
    print(int((np.diff(model.labels_) != 0).sum()), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
