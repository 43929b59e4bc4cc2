#!/usr/bin/env bash
# pynapple 0.11.4, NumPy 2.4.6
# One would guess: a smoothed constant is that constant
# What happens: zeros are taken to lie beyond both ends: a rate of 1 begins and ends at 0.57
# So: the ends of smoothed series are left out of what is compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.57 0.69 1.00 0.57"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynapple==0.11.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np, pynapple as nap
smooth = nap.Tsd(t=np.arange(100.0), d=np.ones(100)).smooth(3)
print(*[f"{smooth.d[i]:.2f}" for i in (0, 1, 50, 99)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
