#!/usr/bin/env bash
# datasets 5.2.0, torch 2.13.0
# One would guess: a column of float64 is float64 with the formats numpy and torch.
# What happens: a column comes as float32 in both.
# So: ask for the type: with_format('numpy', dtype=np.float64).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="stored float64, numpy float32, torch float32"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datasets==5.2.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import datasets

data = datasets.Dataset.from_dict({"x": [0.1, 0.2]})
numpy = data.with_format("numpy")["x"][:].dtype
torch = str(data.with_format("torch")["x"][:].dtype).removeprefix("torch.")
print(f"stored {data.features['x'].dtype}, numpy {numpy}, torch {torch}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
