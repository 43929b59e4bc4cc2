#!/usr/bin/env bash
# pyeda 0.29.0
# One would guess: satisfy_count() of a or (b and c) is 5, the rows of its truth table that hold.
# What happens: of an expression it counts partial assignments: 2; the truth table of the same function says 5.
# So: expr2truthtable(f).satisfy_count(), or weigh each assignment by two to the number of variables that it leaves out.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="expression 2, truth table 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyeda==0.29.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pyeda.inter import And, Or, exprvar, expr2truthtable

a, b, c = (exprvar(name) for name in "abc")
f = Or(a, And(b, c))
print(f"expression {f.satisfy_count()}, truth table {expr2truthtable(f).satisfy_count()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
