#!/usr/bin/env bash
# pyeda 0.29.0, boolforge 1.0.2, sympy 1.14.0, setuptools 80.9.0
# One would guess: the outputs 0, 1, 0, 0 of a table over a and b are one function, whatever reads them
# What happens: the first variable is the highest bit in boolforge and sympy and the lowest in pyeda: not a and b in two of them, a and not b in the third
# So: one function that is not symmetric is tried before a table is handed on
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="b & ~a And(a, ~b) 0 1 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyeda==0.29.0 boolforge==1.0.2 sympy==1.14.0 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import boolforge
from pyeda.inter import exprvar, truthtable, truthtable2expr
from sympy import SOPform, symbols
a, b = symbols("a b")
x, y = exprvar("a"), exprvar("b")
print(SOPform([a, b], [1]), truthtable2expr(truthtable([x, y], "0100")), *(int(v) for v in boolforge.BooleanFunction("not a and b").f), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
