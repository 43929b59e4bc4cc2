#!/usr/bin/env bash
# xarray 2026.9.0, zarr 3.1.6, NumPy 2.4.6, pandas 3.1.1
# One would guess: integers of a zarr array, zeros among them, come back as they are
# What happens: in format 2 the value for chunks that were not written, 0 by default, is taken for a missing value: counts 0 1 2 become NaN, 1.0, 2.0, without a word; in format 3, or with mask_and_scale=False, they are 0 1 2
# So: recordings of format 2 are opened with mask_and_scale=False, or by zarr
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[nan, 1.0, 2.0] [0, 1, 2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import xarray as xr
import zarr
for form in 2, 3:
    group = zarr.open_group(f"{form}.zarr", mode="w", zarr_format=form)
    names = {"dimension_names": ["time"]} if form == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["time"]}}
    array = group.create_array("counts", shape=(3,), dtype="i4", fill_value=0, **names)
    array[:] = [0, 1, 2]
    print(xr.open_zarr(f"{form}.zarr", consolidated=False).counts.values.tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
