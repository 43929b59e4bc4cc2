#!/usr/bin/env bash
# polars 2.1.0
# One would guess: half of the values lie below the quantile 0.5, which is the median
# What happens: quantile() takes the nearest value by default and median() the mean of the two in the middle: 3.0 and 2.5 for 1, 2, 3, 4, and describe() gives 3.0 for 50 %
# So: interpolation='linear' is set
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3.0 2.5 2.5 3.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import polars as pl
x = pl.Series([1.0, 2.0, 3.0, 4.0])
print(x.quantile(0.5), x.median(), x.quantile(0.5, interpolation="linear"), end=" ")
print(x.describe().filter(pl.col("statistic") == "50%")["value"].item())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
