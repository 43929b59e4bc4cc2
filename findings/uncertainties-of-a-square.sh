#!/usr/bin/env bash
# uncertainties 3.2.3
# One would guess: the square of 0 ± 0.1 is uncertain, and 1 ± 0.1 equals another 1 ± 0.1.
# What happens: errors pass through derivatives alone: at a derivative of 0 none is left; two measurements are never equal.
# So: uncertainties.unumpy cannot help: draw samples where a derivative is near 0.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="(0+/-0.1)^2 = 0.0+/-0, cos: 1.0+/-0; equal: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uncertainties==3.2.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from uncertainties import ufloat, umath

x = ufloat(0, 0.1)
print(f"(0+/-0.1)^2 = {x**2}, cos: {umath.cos(x)}; equal: {ufloat(1, 0.1) == ufloat(1, 0.1)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
