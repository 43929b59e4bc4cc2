#!/usr/bin/env bash
# piecewise-regression 1.5.0, NumPy 2.4.6
# One would guess: the same data gives the same breakpoints: it is a regression.
# What happens: starts and bootstrap are drawn from NumPy's global generator: the two breakpoints of one record lie in several places.
# So: np.random.seed before each fit, and several fits.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="30 fits agree: False; with one seed: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check piecewise-regression==1.5.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import piecewise_regression

draws = np.random.default_rng(0)
x = np.linspace(0, 10, 60)
y = np.maximum(0, x - 6) + draws.normal(0, 0.6, 60)


def places(seed):
    if seed is not None:
        np.random.seed(seed)
    best = piecewise_regression.Fit(x, y, n_breakpoints=2).best_muggeo
    return None if best is None else tuple(np.round(best.best_fit.next_breakpoints, 1).tolist())


free, seeded = {places(None) for _ in range(30)}, {places(1) for _ in range(5)}
print(f"30 fits agree: {len(free) == 1}; with one seed: {len(seeded) == 1}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
