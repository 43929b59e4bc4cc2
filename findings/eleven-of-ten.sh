#!/usr/bin/env bash
# fbm 0.3.0
# One would guess: fbm(n=10) is ten values
# What happens: it is eleven: the start at 0 is put in front; its noise, fgn(n=10), is ten
# So: lengths are compared before series are put side by side
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="11 0.0 10"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fbm==0.3.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from fbm import fbm, fgn
path = fbm(n=10, hurst=0.5)
print(len(path), float(path[0]), len(fgn(n=10, hurst=0.5)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
