#!/usr/bin/env bash
# Bottleneck 1.6.0, pandas 2.3.3, xarray 2026.9.0, NumPy 2.4.6
# One would guess: an installed accelerator changes the time, not the numbers.
# What happens: with Bottleneck installed, pandas' spread of float32 and xarray's mean and spread are summed one by one in float32.
# So: float64 first, or compute.use_bottleneck=False and xarray.set_options(use_bottleneck=False).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="ten million times 0.1: xarray's mean 0.109, without Bottleneck 0.100; pandas' spread 0.0086, without 0.0000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Bottleneck==1.6.0 pandas==2.3.3 xarray==2026.9.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pandas as pd
import xarray as xr

values = np.full(10_000_000, 0.1, dtype="float32")
mean, spread = [], []
for use in (True, False):
    with xr.set_options(use_bottleneck=use):
        mean.append(float(xr.DataArray(values).mean()))
    with pd.option_context("compute.use_bottleneck", use):
        spread.append(float(pd.Series(values).std()))
print(
    f"ten million times 0.1: xarray's mean {mean[0]:.3f}, without Bottleneck {mean[1]:.3f}; "
    f"pandas' spread {spread[0]:.4f}, without {spread[1]:.4f}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
