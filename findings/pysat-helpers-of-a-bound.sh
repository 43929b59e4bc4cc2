#!/usr/bin/env bash
# python-sat 1.9.dev24
# One would guess: the helper variables of a cardinality constraint are ones that the formula does not use
# What happens: they are numbered from the highest literal of the constraint on: with clauses over 5 and 6 beside a bound on 1 to 4, 14 of 33 solutions are found, unless top_id=6
# So: top_id, or one IDPool for all constraints, is given at each call
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="14 33 33"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-sat==1.9.dev24
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from itertools import product
from pysat.card import CardEnc
from pysat.solvers import Solver
def solutions(top_id):
    bound = CardEnc.atmost(lits=[1, 2, 3, 4], bound=2, top_id=top_id)
    with Solver(bootstrap_with=bound.clauses + [[5, 6]]) as solver:
        return len({tuple(model[:6]) for model in solver.enum_models()})
true = sum(sum(row[:4]) <= 2 and any(row[4:]) for row in product((0, 1), repeat=6))
print(solutions(None), solutions(6), true)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
