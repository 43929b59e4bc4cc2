#!/usr/bin/env bash
# SciPy 1.17.1
# One would guess: the bootstrap interval of equal values has no width.
# What happens: the default method, BCa, gives NaN at both ends; the percentile method gives the value.
# So: where all seeds agree the interval is missing instead of perfect.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="BCa nan nan percentile 1.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import numpy as np
from scipy.stats import bootstrap

warnings.simplefilter("ignore")
for method in ("BCa", "percentile"):
    interval = bootstrap((np.ones(10),), np.mean, method=method, rng=0).confidence_interval
    print(method, interval.low, interval.high, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
