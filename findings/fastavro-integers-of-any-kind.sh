#!/usr/bin/env bash
# fastavro 1.13.1
# One would guess: 1.9 for a field of the type int raises, and so does a number above 31 bits
# What happens: 1.9 is written as 1, without a word, and 2147483653 is written in a field of 32 bits; validator=True raises for both
# So: records are written with validator=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 2147483653] refused refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastavro==1.13.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import fastavro, io
schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": [{"name": "step", "type": "int"}]})
file = io.BytesIO()
fastavro.writer(file, schema, [{"step": 1.9}, {"step": 2**31 + 5}])
file.seek(0)
print([row["step"] for row in fastavro.reader(file)], end=" ")
for step in 1.9, 2**31 + 5:
    try:
        fastavro.writer(io.BytesIO(), schema, [{"step": step}], validator=True)
    except fastavro.validation.ValidationError:
        print("refused", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
