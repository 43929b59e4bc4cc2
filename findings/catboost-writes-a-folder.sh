#!/usr/bin/env bash
# catboost 1.2.10, NumPy 2.4.6
# One would guess: a fit writes nothing
# What happens: it writes a folder catboost_info into the working folder, which two jobs in one folder share, unless allow_writing_files=False
# So: probes are fitted with allow_writing_files=False
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check catboost==1.2.10 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pathlib, shutil
from catboost import CatBoostRegressor
x = np.random.default_rng(0).normal(size=(50, 2))
for options in {"allow_writing_files": False}, {}:
    shutil.rmtree("catboost_info", ignore_errors=True)
    CatBoostRegressor(iterations=2, verbose=0, **options).fit(x, x[:, 0])
    print(pathlib.Path("catboost_info").exists(), end=" ")
shutil.rmtree("catboost_info")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
