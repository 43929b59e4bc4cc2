#!/usr/bin/env bash
# python-sat 1.9.dev24
# One would guess: a solver that has listed the solutions of a formula can be asked about the formula again
# What happens: each solution was forbidden as it was listed, and stays so: the formula is unsatisfiable now, and a second list is empty
# So: solutions are listed by a solver of their own
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 3 False 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-sat==1.9.dev24
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pysat.solvers import Solver
with Solver(bootstrap_with=[[1, 2]]) as solver:
    print(solver.solve(), len(list(solver.enum_models())), solver.solve(), len(list(solver.enum_models())))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
