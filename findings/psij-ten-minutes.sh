#!/usr/bin/env bash
# psij-python 0.9.11, setuptools 80.9.0
# One would guess: a job without a stated time runs as long as its queue lets it
# What happens: it asks for ten minutes
# So: each job states a duration
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0:10:00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check psij-python==0.9.11 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from psij import JobAttributes
print(JobAttributes().duration)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
