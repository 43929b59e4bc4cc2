#!/usr/bin/env bash
# netCDF4 1.7.5.1.post1
# One would guess: all 256 values of a byte can be stored.
# What happens: 255 of a uint8 and -127 of an int8 come back masked, as missing, though no fill value was named.
# So: createVariable(..., fill_value=False), or set_auto_mask(False).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="uint8 254 and 255 come back as [254, None], int8 -127 and 127 as [None, 127]; unmasked [254, 255] and [-127, 127]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check netCDF4==1.7.5.1.post1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import netCDF4
import numpy as np

values = {"u1": [254, 255], "i1": [-127, 127]}
with netCDF4.Dataset("bytes.nc", "w") as file:
    file.createDimension("n", 2)
    for kind, two in values.items():
        file.createVariable(kind, kind, ("n",))[:] = np.array(two, dtype=kind)
with netCDF4.Dataset("bytes.nc") as file:
    first = [file[kind][:].tolist() for kind in values]
    file.set_auto_mask(False)
    second = [file[kind][:].tolist() for kind in values]
print(f"uint8 254 and 255 come back as {first[0]}, int8 -127 and 127 as {first[1]}; unmasked {second[0]} and {second[1]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
