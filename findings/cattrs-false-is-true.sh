#!/usr/bin/env bash
# cattrs 26.2.1
# One would guess: a value of another type raises, or is read for what it says
# What happens: the field's type is called on it: 1.9 steps are 1, the text false is True, None is the text None; and a field that does not exist is left out without a word
# So: configurations are read by a library that validates
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Run(steps=1, shuffle=True, name='None')"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cattrs==26.2.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import attrs, cattrs
@attrs.define
class Run:
    steps: int
    shuffle: bool
    name: str
print(cattrs.structure({"steps": 1.9, "shuffle": "false", "name": None, "stpes": 3}, Run))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
