#!/usr/bin/env bash
# fastavro 1.13.1
# One would guess: a record with a key that the schema does not have raises
# What happens: the key is left out, and the field that was meant gets its default, without a word: {los: 1.0} is read back as loss: None; strict=True raises
# So: records are written with strict=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[{'loss': None, 'step': 3}]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastavro==1.13.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import fastavro, io
schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": [{"name": "loss", "type": ["null", "double"], "default": None}, {"name": "step", "type": "int"}]})
file = io.BytesIO()
fastavro.writer(file, schema, [{"los": 1.0, "step": 3}])
file.seek(0)
print(list(fastavro.reader(file)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
