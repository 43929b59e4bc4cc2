#!/usr/bin/env bash
# zarr 3.1.6, NumPy 2.4.6
# One would guess: an array that is added to a group is there when the group is opened again
# What happens: once metadata have been consolidated the group shows the list of that time: b is missing, in keys and by name, though it lies on the disk; use_consolidated=False shows it
# So: metadata are consolidated after the last array, or again
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['a'] False ['a', 'b']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, warnings, zarr
warnings.simplefilter("ignore")
zarr.open_group("run.zarr", mode="w").create_array("a", data=np.ones(2))
zarr.consolidate_metadata("run.zarr")
zarr.open_group("run.zarr", mode="a", use_consolidated=False).create_array("b", data=np.ones(2))
print(sorted(zarr.open_group("run.zarr", mode="r").array_keys()), "b" in zarr.open_group("run.zarr", mode="r"), sorted(zarr.open_group("run.zarr", mode="r", use_consolidated=False).array_keys()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
