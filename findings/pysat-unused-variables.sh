#!/usr/bin/env bash
# python-sat 1.9.dev24
# One would guess: the models of one clause over variables 1 and 3 are three.
# What happens: enum_models goes over every number up to the highest one: six models, with variable 2 either way.
# So: number variables without gaps, or count distinct models over those that occur.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 models, 3 of variables 1 and 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-sat==1.9.dev24
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pysat.solvers import Solver

with Solver(name="g3", bootstrap_with=[[1, 3]]) as solver:
    models = list(solver.enum_models())
print(f"{len(models)} models, {len({(model[0], model[2]) for model in models})} of variables 1 and 3")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
