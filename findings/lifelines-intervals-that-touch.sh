#!/usr/bin/env bash
# lifelines 0.30.3
# One would guess: one event in each of four intervals that follow one another leaves 0.75, 0.50 and 0.25 alive.
# What happens: intervals hold both of their ends, so that neighbours share an event at the end they have in common: the estimate falls in two large steps to 0.51 and from 0.49.
# So: move the lower ends up by a little, and births between epochs 0 and 1 are not also those between 1 and 2.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="touching 1.00 0.51 0.49 0.00; apart 1.00 0.75 0.50 0.25"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lifelines==0.30.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from lifelines import KaplanMeierFitter


def levels(gap):
    lower, upper = np.arange(4) + gap * (np.arange(4) > 0), np.array([1, 2, 3, np.inf])
    fit = KaplanMeierFitter().fit_interval_censoring(lower, upper)
    return " ".join(f"{level:.2f}" for level in sorted(set(fit.survival_function_.round(2).iloc[:, 0]), reverse=True))


print(f"touching {levels(0)}; apart {levels(0.01)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
