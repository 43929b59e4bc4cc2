#!/usr/bin/env bash
# deeptime 0.4.5, NumPy 2.4.6
# One would guess: the maximum-likelihood model of a chain that went 0, 1, 2, 0, 1, 2 has the transitions that were counted
# What happens: it is made reversible by default: each state goes to both others with 0.5, though one of the two never followed; reversible=False gives 1
# So: reversible=False is given wherever time has a direction
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 0.5, 0.5] [0.0, 1.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check deeptime==0.4.5 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from deeptime.markov.msm import MaximumLikelihoodMSM
states = np.tile([0, 1, 2], 50)
for reversible in True, False:
    model = MaximumLikelihoodMSM(reversible=reversible).fit_fetch(states, lagtime=1)
    print(model.transition_matrix[0].round(1).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
