#!/usr/bin/env bash
# xarray 2026.9.0
# One would guess: two runs measured at different steps cannot be subtracted, or give NaN there.
# What happens: only steps that both have are kept, without a word.
# So: xarray.set_options(arithmetic_join='exact').
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="steps 0 to 9 less steps 5 to 14: 5 values, 0 of them NaN; with 'exact' an error"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import xarray as xr

a, b = (xr.DataArray(np.ones(10), dims="step", coords={"step": np.arange(10) + start}) for start in (0, 5))
try:
    with xr.set_options(arithmetic_join="exact"):
        exact = len(a - b)
except ValueError:
    exact = "an error"
print(f"steps 0 to 9 less steps 5 to 14: {len(a - b)} values, {int(np.isnan(a - b).sum())} of them NaN; with 'exact' {exact}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
