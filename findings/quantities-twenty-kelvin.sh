#!/usr/bin/env bash
# quantities 0.16.4, NumPy 2.4.6
# One would guess: 20 degrees Celsius are 293.15 K
# What happens: rescale gives 20 K: a degree is taken for a difference of temperatures
# So: 273.15 is added by hand
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="20.0 K"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import quantities as pq
print((20 * pq.degC).rescale("K"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
