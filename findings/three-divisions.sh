#!/usr/bin/env bash
# z3-solver 5.4.1.0, ortools 9.15.6755
# One would guess: -7 divided by 2, 7 by -2 and -7 by -2 in whole numbers are Python's -4, -4 and 3, or one other rule
# What happens: there are three rules: z3 gives -4, -3 and 4, where remainders are never negative, and OR-Tools -3, -3 and 3, towards 0
# So: a constraint over whole numbers is written for numbers from 0 on
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-4 -4 -3; -4 -3 -3; 3 4 3;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check z3-solver==5.4.1.0 ortools==9.15.6755
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import z3
from ortools.sat.python import cp_model
for a, b in (-7, 2), (7, -2), (-7, -2):
    model = cp_model.CpModel()
    quotient = model.new_int_var(-9, 9, "quotient")
    model.add_division_equality(quotient, model.new_int_var(a, a, "a"), b)
    solver = cp_model.CpSolver()
    solver.solve(model)
    print(a // b, z3.simplify(z3.IntVal(a) / z3.IntVal(b)), solver.value(quotient), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
