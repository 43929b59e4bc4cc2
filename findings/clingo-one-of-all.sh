#!/usr/bin/env bash
# clingo 5.8.3
# One would guess: iterating over the models of a program gives all of them
# What happens: it gives one, unless Control is made with the argument 0: of four models, one
# So: the number of models is stated when a Control is made
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check clingo==5.8.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import clingo
for arguments in [], ["0"]:
    control = clingo.Control(arguments)
    control.add("base", [], "{a; b}.")
    control.ground([("base", [])])
    with control.solve(yield_=True) as models:
        print(sum(1 for _ in models), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
