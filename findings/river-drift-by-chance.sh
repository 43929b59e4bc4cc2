#!/usr/bin/env bash
# river 0.26.1
# One would guess: a drift detector gives the same drifts for the same series.
# What happens: KSWIN draws its reference sample at random, without a seed unless one is given: two runs differ.
# So: give `seed`; and look at more than one, since what is found depends on it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="several without a seed, 1 with one"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check river==0.26.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from river.drift import KSWIN

rng = np.random.default_rng(0)
series = np.concatenate([rng.normal(size=250), rng.normal(0.7, 1, size=250)])


def drifts(**options):
    detector, found = KSWIN(**options), []
    for step, value in enumerate(series):
        detector.update(value)
        if detector.drift_detected:
            found.append(step)
    return tuple(found)


print(f"{'several' if len({drifts() for _ in range(6)}) > 1 else 'one'} without a seed, {len({drifts(seed=1) for _ in range(3)})} with one")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
