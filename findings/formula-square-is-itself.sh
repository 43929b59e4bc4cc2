#!/usr/bin/env bash
# patsy 1.0.3, formulaic 1.2.2, pandas 3.1.1
# One would guess: the formula x + x**2 has a column for x and one for its square
# What happens: it has one for x alone, in both, without a word: ** stands for interactions; I(x**2) is the square
# So: the columns of a design are printed before a model is fitted to them
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['Intercept', 'x'] ['Intercept', 'x'] ['Intercept', 'x', 'I(x ** 2)']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check patsy==1.0.3 formulaic==1.2.2 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import formulaic, pandas as pd, patsy
table = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
print(patsy.dmatrix("x + x**2", table).design_info.column_names, list(formulaic.model_matrix("x + x**2", table).columns),
      patsy.dmatrix("x + I(x**2)", table).design_info.column_names)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
