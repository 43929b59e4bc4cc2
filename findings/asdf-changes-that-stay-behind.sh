#!/usr/bin/env bash
# asdf 6.0.0
# One would guess: a file that was opened for reading and writing has the change when it is closed
# What happens: an array changed in place is as it was in the file, unless update() is called
# So: a changed result is written as a new file
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 7.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check asdf==6.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import asdf, numpy as np
asdf.AsdfFile({"a": np.zeros(100)}).write_to("file.asdf")
with asdf.open("file.asdf", mode="rw") as file:
    file["a"][0] = 7
with asdf.open("file.asdf", mode="rw") as file:
    before = file["a"][0]
    file["a"][0] = 7
    file.update()
with asdf.open("file.asdf") as file:
    print(before, file["a"][0])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
