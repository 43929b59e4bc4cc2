#!/usr/bin/env bash
# optax 0.2.8
# One would guess: the L2 loss of an error of 3 is 9, as squared_error says
# What happens: l2_loss gives 4.5, a half of the square
# So: losses of two libraries are compared on one number first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4.5 9.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import optax
print(optax.l2_loss(3.0), optax.squared_error(3.0))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
