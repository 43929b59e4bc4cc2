#!/usr/bin/env bash
# addict 2.4.0
# One would guess: a misspelt setting raises
# What happens: it is an empty dictionary, which is false, and nothing is said: `if settings.freeze_embeding` never holds; freeze() makes it raise
# So: settings are frozen before they are read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{} False raises"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check addict==2.4.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from addict import Dict
settings = Dict({"freeze_embedding": True})
print(settings.freeze_embeding, bool(settings.freeze_embeding), end=" ")
settings.freeze()
try:
    settings.freeze_embeding
except KeyError:
    print("raises")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
