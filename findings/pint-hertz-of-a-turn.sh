#!/usr/bin/env bash
# Pint 0.25.3
# One would guess: 60 turns a minute are 1 Hz, and 1 Hz is 6.28 radians a second
# What happens: a turn is 2 pi radians, and a radian is 1: 60 rpm are 6.28 Hz, and 1 Hz is one radian a second, without a word
# So: phases and frequencies are converted by a stated factor
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6.28 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pint==0.25.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pint
unit = pint.UnitRegistry()
print(round(unit("60 rpm").to("Hz").magnitude, 2), unit("1 Hz").to("rad/s").magnitude)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
