#!/usr/bin/env bash
# pyspi 1.1.0
# One would guess: statistics of pairs are computed of the series that were given
# What happens: each is detrended and scaled first: two that rise together, with a correlation of 0.97, have one of 0.2
# So: whether a trend belongs to what is compared is said beside every such number
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.97 0.16"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyspi==1.1.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib, io
import numpy as np
with contextlib.redirect_stdout(io.StringIO()):
    from pyspi.data import Data
    t = np.arange(100.0)
    rising = np.stack([t, t**2]) + np.random.default_rng(0).normal(size=(2, 100))
    kept = Data(rising, dim_order="ps").to_numpy(squeeze=True)
print(*(f"{abs(np.corrcoef(x)[0, 1]):.2f}" for x in (rising, kept)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
