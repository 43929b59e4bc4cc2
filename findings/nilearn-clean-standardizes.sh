#!/usr/bin/env bash
# nilearn 0.14.1
# One would guess: signal.clean without arguments takes out a trend and leaves the scale.
# What happens: the series come back with a standard deviation of 1.
# So: standardize=False where amplitudes are compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3.0 before, 1.0 after"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nilearn==0.14.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import nilearn.signal
import numpy as np

series = np.random.default_rng(0).normal(5, 3, size=(2000, 2))
print(f"{series.std():.1f} before, {nilearn.signal.clean(series).std():.1f} after")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
