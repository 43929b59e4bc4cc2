#!/usr/bin/env bash
# pwlf 2.7.0
# One would guess: two fits of the same data break at the same places.
# What happens: the search draws from a generator without a seed: with more segments than the data have, breaks move from call to call.
# So: PiecewiseLinFit(x, y, seed=0).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="five fits of five segments: breaks differ by more than 1 of 10; with a seed by 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pwlf==2.7.0 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pwlf

rng = np.random.default_rng(0)
x = np.linspace(0, 10, 80)
y = np.abs(x - 4) + 0.5 * rng.normal(size=80)


def range_of_breaks(**seed):
    return np.ptp([pwlf.PiecewiseLinFit(x, y, **seed).fit(5) for _ in range(5)], axis=0).max()


free = range_of_breaks()
print(
    f"five fits of five segments: breaks differ by {'more than 1 of 10' if free > 1 else free}; "
    f"with a seed by {range_of_breaks(seed=0):g}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
