#!/usr/bin/env bash
# pysdd 1.0.6
# One would guess: the number of models is over all declared variables, or over those that the function has
# What happens: it is over the part of the variable tree that the function reaches: of three variables, a or b has 3 models, and a or c has 6
# So: global_model_count() is over all declared variables
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 3 6 6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pysdd==1.0.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pysdd.sdd import SddManager
a, b, c = SddManager(var_count=3).vars
print((a | b).model_count(), (a | c).model_count(), (a | b).global_model_count(), (a | c).global_model_count())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
