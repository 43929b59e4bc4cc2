#!/usr/bin/env bash
# xarray 2026.9.0, netCDF4 1.7.5.1.post1
# One would guess: what to_netcdf has written, open_dataset opens.
# What happens: a unit with the word 'since' is taken for a date: 'steps since 0' is written, and the whole file cannot be opened.
# So: another wording, or decode_times=False.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="steps since start: written, then a ValueError; with decode_times=False opened"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 netCDF4==1.7.5.1.post1 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import xarray as xr

xr.Dataset({"time": ("t", [1.0, 2.0], {"units": "steps since start"})}).to_netcdf("run.nc")


def opened(**how):
    try:
        return f"opened{'' if len(xr.load_dataset('run.nc', **how).time) == 2 else ' without values'}"
    except ValueError:
        return "a ValueError"


print(f"steps since start: written, then {opened()}; with decode_times=False {opened(decode_times=False)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
