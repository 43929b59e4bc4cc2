#!/usr/bin/env bash
# dd 0.6.0
# One would guess: BDD.count counts solutions over all declared variables.
# What happens: over those that the function depends on: x counts 1 among three declared variables, where 4 assignments hold.
# So: count(u, nvars=len(bdd.vars)), or counts of two functions cannot be compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="x: 1, of three variables 4; x or y: 3 and 6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dd==0.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from dd.autoref import BDD

bdd = BDD()
bdd.declare("x", "y", "z")
x, either = bdd.add_expr("x"), bdd.add_expr(r"x \/ y")
print(f"x: {bdd.count(x)}, of three variables {bdd.count(x, nvars=3)}; x or y: {bdd.count(either)} and {bdd.count(either, nvars=3)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
