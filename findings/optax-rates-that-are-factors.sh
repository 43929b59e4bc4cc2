#!/usr/bin/env bash
# optax 0.2.8
# One would guess: piecewise_constant_schedule(1.0, {10: 0.1, 20: 0.05}) is 1, then 0.1, then 0.05
# What happens: the numbers are factors on what came before: 1, 0.1, 0.005
# So: a table of rates is turned into factors
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 0.1, 0.005]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import optax
schedule = optax.piecewise_constant_schedule(1.0, {10: 0.1, 20: 0.05})
print([round(float(schedule(step)), 4) for step in (0, 15, 25)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
