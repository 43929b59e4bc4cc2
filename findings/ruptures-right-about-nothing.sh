#!/usr/bin/env bash
# ruptures 1.1.10, NumPy 2.4.6, SciPy 1.17.1
# One would guess: a detector that finds nothing where there is nothing has a precision and a recall of 1, or none, and one that is ten samples off is right within a margin of 10
# What happens: both are 0 in both cases: a series without a change counts as missed, and the margin leaves out its end; nine samples off is right
# So: series without changes are counted on their own
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 0.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from ruptures.metrics import precision_recall
for true, found in ([100], [100]), ([50, 100], [60, 100]), ([50, 100], [59, 100]):
    precision, recall = precision_recall(true, found, margin=10)
    assert precision == recall
    print(float(precision), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
