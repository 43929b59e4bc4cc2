#!/usr/bin/env bash
# scoringrules 0.10.0
# One would guess: the score of an ensemble is the fair estimate, which does not depend on the number of members.
# What happens: the default counts each member's distance to itself: of five normal members the score is larger by a fifth of half their mean distance.
# So: estimator='fair' where ensembles of different sizes are compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="default 0.099, fair 0.047"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scoringrules==0.10.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import scoringrules

members = np.random.default_rng(0).normal(size=5)
default = scoringrules.crps_ensemble(0.0, members)
fair = scoringrules.crps_ensemble(0.0, members, estimator="fair")
print(f"default {default:.3f}, fair {fair:.3f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
