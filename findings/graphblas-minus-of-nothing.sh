#!/usr/bin/env bash
# python-graphblas 2025.2.0
# One would guess: ewise_add with minus is the difference of two sparse matrices, as A - B is
# What happens: where A has no entry, B is taken as it is: 4 where A - B has -4
# So: matrices are subtracted by their operator, or with ewise_union and a value for what is missing
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[[-2.0, 0.0], [0.0, 4.0]] [[-2.0, 0.0], [0.0, -4.0]]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-graphblas[default]==2025.2.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import graphblas as gb
a = gb.Matrix.from_coo([0], [0], [1.0], nrows=2, ncols=2)
b = gb.Matrix.from_coo([0, 1], [0, 1], [3.0, 4.0])
print(a.ewise_add(b, gb.binary.minus).new().to_dense(0).tolist(), (a - b).new().to_dense(0).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
