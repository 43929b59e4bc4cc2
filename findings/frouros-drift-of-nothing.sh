#!/usr/bin/env bash
# frouros 0.9.0
# One would guess: errors that are drawn with one probability for 1,000 steps hold no drift, in nineteen of twenty series
# What happens: EDDM finds one in 19 of 20 series, and DDM in 12; ADWIN and KSWIN find none
# So: a detector is run on series without a change before it is believed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="19 12 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check frouros==0.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from frouros.detectors.concept_drift import ADWIN, DDM, EDDM, KSWIN
for detector in EDDM, DDM, ADWIN, KSWIN:
    found = 0
    for seed in range(20):
        watch = detector()
        for error in np.random.default_rng(seed).uniform(size=1000) < 0.1:
            watch.update(value=float(error))
            if watch.status["drift"]:
                found += 1
                break
    print(found, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
