#!/usr/bin/env bash
# z3-solver 5.4.1.0
# One would guess: in a word of eight bits 200 is above 100, and half of it is 100
# What happens: > and / and >> take the highest bit for a sign: 200 > 100 is False, 200 / 2 is 228 and 200 >> 1 as well; UGT, UDiv and LShR are those without a sign
# So: UGT, ULT, UDiv and LShR are used for numbers without a sign
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="False 228 228 True 100 100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check z3-solver==5.4.1.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from z3 import UGT, BitVecVal, LShR, UDiv, simplify
a, b = BitVecVal(200, 8), BitVecVal(100, 8)
print(*(simplify(e) for e in (a > b, a / 2, a >> 1, UGT(a, b), UDiv(a, BitVecVal(2, 8)), LShR(a, 1))), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
