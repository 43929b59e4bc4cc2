#!/usr/bin/env bash
# river 0.26.1, NumPy 2.4.6
# One would guess: whether a mean drifts does not depend on the unit
# What happens: PageHinkley adds up deviations to a limit of 50, and ADWIN expects values between 0 and 1: a step from 0.2 to 0.8 is found by both, in hundredths by neither, and times a hundred by PageHinkley five times, once before it happened; KSWIN finds it in each unit
# So: values are brought to the range 0 to 1, and the limit to their size
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[306] [] [139, 200, 272, 324, 391] [223] [] [223] [207] [207] [207]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check river==0.26.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from river import drift
rng = np.random.default_rng(1)
values = np.concatenate([rng.normal(0.2, 0.05, 200), rng.normal(0.8, 0.05, 200)])
for make in drift.PageHinkley, drift.ADWIN, lambda: drift.KSWIN(seed=1):
    for unit in 1, 0.01, 100:
        detector, found = make(), []
        for step, value in enumerate(values * unit):
            detector.update(value)
            if detector.drift_detected:
                found.append(step)
        print(found, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
