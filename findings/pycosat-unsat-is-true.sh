#!/usr/bin/env bash
# pycosat 0.6.6
# One would guess: the answer for a formula that cannot be satisfied is None, or false
# What happens: it is the text UNSAT, which is true: `if pycosat.solve(clauses)` holds for every formula
# So: the answer is compared with the text
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="UNSAT True; [1, 2] True;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycosat==0.6.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pycosat
for clauses in [[1], [-1]], [[1], [2]]:
    answer = pycosat.solve(clauses)
    print(answer, bool(answer), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
