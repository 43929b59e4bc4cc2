#!/usr/bin/env bash
# scikit-survival 0.28.0, lifelines 0.30.3, NumPy 2.4.6
# One would guess: a concordance index of one prediction is one number
# What happens: lifelines takes a prediction for a time, scikit-survival for a risk: what orders all three perfectly has 0 in lifelines and 1 in scikit-survival
# So: a case with a known order is tried, and risks are given to lifelines with a minus
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-survival==0.28.0 lifelines==0.30.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored
times, risk = np.array([1.0, 2, 3]), np.array([3.0, 2, 1])
print(concordance_index(times, risk), float(concordance_index_censored(np.ones(3, bool), times, risk)[0]), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
