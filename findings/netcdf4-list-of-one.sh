#!/usr/bin/env bash
# netcdf4 1.7.2, xarray 2026.9.0, NumPy 2.4.6
# One would guess: an attribute that is a list of one number comes back as a list or an array of one
# What happens: it comes back as the number, and a list of one text as the text: len() raises for the first and counts letters for the second, as soon as a run has one layer; xarray passes it on
# So: lists in attributes are read with numpy.atleast_1d
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="int64 'fc1' 3 [8, 4] fc1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check netcdf4==1.7.2 xarray==2026.9.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import netCDF4, xarray
xarray.Dataset({"loss": ("step", [1.0, 2.0])}, attrs={"layers": [8], "names": ["fc1"], "two": [8, 4]}).to_netcdf("a.nc", engine="netcdf4")
with netCDF4.Dataset("a.nc") as file:
    print(type(file.layers).__name__, repr(file.names), len(file.names), file.two.tolist(), xarray.open_dataset("a.nc").attrs["names"])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
