#!/usr/bin/env bash
# pydantic 2.14.3
# One would guess: a field `int | float` turns the text "1.0" into the float that it spells.
# What happens: it turns it into the integer 1, and 1.0 itself into 1.0.
# So: a value from the command line and the same value from YAML have other types, and so other digests.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1.0 1.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydantic==2.14.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pydantic import BaseModel


class Settings(BaseModel):
    rate: int | float


print(*(repr(Settings(rate=value).rate) for value in ("1.0", 1.0, "1.5")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
