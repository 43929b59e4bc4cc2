#!/usr/bin/env bash
# xarray 2026.9.0
# One would guess: cov(a, a) is a.var().
# What happens: cov divides by n - 1, var by n.
# So: var(ddof=1), or cov(..., ddof=0).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="of 1, 2, 3, 4: covariance with itself 1.67, variance 1.25"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import xarray as xr

a = xr.DataArray([1.0, 2, 3, 4], dims="step")
print(f"of 1, 2, 3, 4: covariance with itself {float(xr.cov(a, a)):.2f}, variance {float(a.var()):.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
