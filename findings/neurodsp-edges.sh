#!/usr/bin/env bash
# neurodsp 2.3.0
# One would guess: a filtered series of 1,000 samples has 1,000 values.
# What happens: those within half a filter's length of the ends are NaN: at 8 to 12 Hz and 1,000 Hz more than a third of them.
# So: leave out the NaN, or remove_edges=False and say that the ends are not to be trusted.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="624 of 1000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neurodsp==2.3.0 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import numpy as np
from neurodsp.filt import filter_signal

series = np.random.default_rng(0).normal(size=1000)
print(f"{np.isfinite(filter_signal(series, 1000, 'bandpass', (8, 12))).sum()} of 1000")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
