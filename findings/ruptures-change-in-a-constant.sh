#!/usr/bin/env bash
# ruptures 1.1.10
# One would guess: asked for one change in a constant series, every method says that there is none.
# What happens: BottomUp and Binseg place it near the end, Dynp near the start, Window finds none.
# So: a converged network has a jump, at a place that the method chooses.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Binseg [95] BottomUp [95] Dynp [5] Window []"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import ruptures

series = np.ones(100)
for name in ("Binseg", "BottomUp", "Dynp", "Window"):
    found = getattr(ruptures, name)(model="l2").fit(series).predict(n_bkps=1)
    print(name, found[:-1], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
