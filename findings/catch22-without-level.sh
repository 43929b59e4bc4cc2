#!/usr/bin/env bash
# pycatch22 1.0.2
# One would guess: features of a series tell 0.1 from 0.9.
# What happens: the series is standardised first: level and spread are in none of the 22 features.
# So: catch24=True adds mean and standard deviation.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="features that differ between x and 10 x + 3: 0 of 22, 2 of 24"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycatch22==1.0.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import random

import pycatch22

random.seed(0)
x = [random.gauss(0, 1) for _ in range(200)]


def differ(**how):
    pairs = zip(*(pycatch22.catch22_all(s, **how)["values"] for s in (x, [10 * v + 3 for v in x])))
    pairs = list(pairs)
    return f"{sum(abs(a - b) > 1e-6 * max(1, abs(a)) for a, b in pairs)} of {len(pairs)}"


print(f"features that differ between x and 10 x + 3: {differ()}, {differ(catch24=True)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
