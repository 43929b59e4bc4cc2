#!/usr/bin/env bash
# jaxtyping 0.3.11, beartype 0.23.1, torch 2.13.0
# One would guess: a function whose two arguments are typed with one size n, and checked by beartype, refuses arguments of 3 and 4 numbers
# What happens: sizes are compared under @jaxtyped alone; beartype by itself, or isinstance, lets any two sizes pass as n
# So: a shape in an annotation is a promise, not a check; shapes are checked where they come in
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="passes True refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jaxtyping==0.3.11 beartype==0.23.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from beartype import beartype
from jaxtyping import Float, TypeCheckError, jaxtyped
vector = Float[torch.Tensor, "n"]
@beartype
def alone(a: vector, b: vector): return "passes"
@jaxtyped(typechecker=beartype)
def decorated(a: vector, b: vector): return "passes"
x, y = torch.zeros(3), torch.zeros(4)
print(alone(x, y), isinstance(x, vector) and isinstance(y, vector), end=" ")
try:
    print(decorated(x, y))
except TypeCheckError:
    print("refused")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
