#!/usr/bin/env bash
# configspace 1.2.2
# One would guess: sample_configuration(n) is a list of n settings
# What happens: for n = 1 it is the setting itself, which can be iterated over as well: the loop goes over the names of its entries
# So: a single setting is put into a list
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['Configuration', 'Configuration'] ['str']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check configspace==1.2.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from ConfigSpace import ConfigurationSpace, Float
space = ConfigurationSpace(seed=1)
space.add(Float("rate", (0, 1)))
for n in 2, 1:
    print([type(each).__name__ for each in space.sample_configuration(n)], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
