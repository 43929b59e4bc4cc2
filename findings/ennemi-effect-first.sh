#!/usr/bin/env bash
# ennemi 1.5.0
# One would guess: estimate_mi(x, y, lag=3) asks whether x leads y by three steps.
# What happens: the effect is the first argument: estimate_mi(y, x, lag=3) asks that, and the other order says that there is nothing.
# So: name the arguments (y=, x=).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="cause first 0.0, effect first 2.3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ennemi==1.5.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import ennemi
import numpy as np

rng = np.random.default_rng(0)
cause = rng.normal(size=1000)
effect = np.roll(cause, 3) + 0.1 * rng.normal(size=1000)


def found(*order):
    return abs(float(np.asarray(ennemi.estimate_mi(*order, lag=3)).ravel()[0]))


print(f"cause first {found(cause, effect):.1f}, effect first {found(effect, cause):.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
