#!/usr/bin/env bash
# arch 8.0.0
# One would guess: conf_int without a method gives the percentiles of the draws.
# What happens: it gives the basic interval, which mirrors them: for a skewed statistic it leans to the other side.
# So: name the method, and say it beside the interval.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="percentile: longer above; default: longer below"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check arch==8.0.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from arch.bootstrap import IIDBootstrap

values = np.random.default_rng(0).lognormal(sigma=1.5, size=30)


def longer(**method):
    low, high = IIDBootstrap(values, seed=1).conf_int(np.mean, 2000, **method).ravel()
    return "above" if high - values.mean() > values.mean() - low else "below"


print(f"percentile: longer {longer(method='percentile')}; default: longer {longer()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
