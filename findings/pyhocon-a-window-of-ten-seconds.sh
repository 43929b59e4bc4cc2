#!/usr/bin/env bash
# pyhocon 0.3.61, python-dateutil 2.9.0.post0
# One would guess: window = 10 s is the text '10 s', and [1 2] two numbers or an error
# What happens: 10 s and 5m are objects for durations (timedelta, or dateutil's relativedelta where that is installed), while 10 steps is a text; [1 2] is a list of one text, and 012 is 12
# So: units are written into names of settings (window_s = 10)
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['relativedelta', 'relativedelta'] ['1 2'] 12 10 steps"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyhocon==0.3.61 python-dateutil==2.9.0.post0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pyhocon import ConfigFactory
settings = ConfigFactory.parse_string("a = 10 s\nb = 5m\nc = [1 2]\nd = 012\ne = 10 steps")
print([type(settings[k]).__name__ for k in "ab"], settings["c"], settings["d"], settings["e"])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
