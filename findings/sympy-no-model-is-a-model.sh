#!/usr/bin/env bash
# sympy 1.14.0
# One would guess: satisfiable(all_models=True) of a formula that cannot hold gives nothing, so that its models can be counted
# What happens: it gives one item, False: a formula without a model counts as many as one with a single model
# So: items that are False are left out before models are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1 [False]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sympy==1.14.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from sympy import symbols
from sympy.logic.inference import satisfiable
x, y = symbols("x y")
for formula in x & ~x, x & y:
    print(len(list(satisfiable(formula, all_models=True))), end=" ")
print(list(satisfiable(x & ~x, all_models=True)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
