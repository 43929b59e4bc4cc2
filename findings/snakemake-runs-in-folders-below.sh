#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: glob_wildcards('data/{run}.h5') names the files in the folder data
# What happens: a wildcard matches slashes and dots: files of folders below are runs named sub/c, and hidden files are runs as well; {run,[^/.]+} leaves both out
# So: wildcards of glob_wildcards have a constraint
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['.hidden', 'a', 'b', 'sub/c'] ['a', 'b']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pathlib
from snakemake.io import glob_wildcards
for name in "b", "sub/c", "a", ".hidden":
    file = pathlib.Path("data") / (name + ".h5")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
print(sorted(glob_wildcards("data/{run}.h5").run), sorted(glob_wildcards("data/{run,[^/.]+}.h5").run))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
