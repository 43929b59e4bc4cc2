#!/usr/bin/env bash
# krippendorff 0.9.0
# One would guess: alpha of labels takes them for names.
# What happens: it takes them for positions on a scale by default: 0.32 where the labels' own alpha is 0.63.
# So: give level_of_measurement='nominal' for classes.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="default 0.318, nominal 0.625"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check krippendorff==0.9.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import krippendorff

raters = [[1, 2, 3, 1, 2, 3, 1, 1], [1, 2, 3, 1, 2, 1, 3, 1]]
print(f"default {krippendorff.alpha(raters):.3f}, nominal {krippendorff.alpha(raters, level_of_measurement='nominal'):.3f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
