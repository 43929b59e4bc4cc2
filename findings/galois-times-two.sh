#!/usr/bin/env bash
# galois 0.4.11, NumPy 2.4.6
# One would guess: in a field of 8 elements, 3 times 2 is one element, whichever way 2 is written
# What happens: times the integer 2 is 3 + 3, which is 0; times the element 2 it is 6
# So: numbers are made elements of the field before they are multiplied
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check galois==0.4.11 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import galois
field = galois.GF(8)
print(field(3) * 2, field(3) * field(2))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
