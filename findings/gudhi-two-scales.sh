#!/usr/bin/env bash
# gudhi 3.13.0
# One would guess: the Rips and the alpha complex of the same points give births and deaths on one scale.
# What happens: two points 4 apart join at 4 in the one (the distance) and at 4 = 2 * 2 in the other (the radius, squared); 6 apart at 6 and at 9.
# So: 2 * sqrt of the alpha complex's values, before diagrams are compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 apart: rips 6.0, alpha 9.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gudhi==3.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gudhi

points = [[0, 0], [6, 0]]
rips = gudhi.RipsComplex(points=points).create_simplex_tree(max_dimension=1).persistence()
alpha = gudhi.AlphaComplex(points=points).create_simplex_tree().persistence()
rips, alpha = (min(death for _, (_, death) in found) for found in (rips, alpha))
print(f"6 apart: rips {rips}, alpha {alpha}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
