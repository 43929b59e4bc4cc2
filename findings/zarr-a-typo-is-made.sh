#!/usr/bin/env bash
# zarr 3.1.6, NumPy 2.4.6
# One would guess: to open a path that does not exist raises, as open does for a file
# What happens: an empty group is made there and returned, and the folder is there from then on; mode='r' raises
# So: mode='r' is given wherever something is read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Group 0 True FileNotFoundError"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os, zarr
seen = zarr.open("actvity.zarr")
print(type(seen).__name__, len(list(seen)), os.path.isdir("actvity.zarr"), end=" ")
try:
    zarr.open("activty.zarr", mode="r")
except FileNotFoundError as error:
    print(type(error).__name__)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
