#!/usr/bin/env bash
# PyYAML 6.0.3
# One would guess: 12:30:00 in YAML is text, and 1e-3 a number.
# What happens: 12:30:00 is the integer 45000 (base sixty), and 1e-3 is text.
# So: a time limit becomes a count, and a learning rate is not a number until a dot is written.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="45000 '1e-3' 0.001"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyyaml==6.0.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import yaml

read = yaml.safe_load("limit: 12:30:00\nrate: 1e-3\nother: 1.0e-3")
print(*(repr(value) for value in read.values()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
