#!/usr/bin/env bash
# datasets 5.2.0
# One would guess: from_list has a column for every key of its rows.
# What happens: the keys of the first row are the columns; a metric that is first logged later is dropped, without a word.
# So: give every row all keys, or use from_dict.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="columns: step"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import datasets

log = [{"step": 1}, {"step": 2, "accuracy": 0.5}]
print("columns:", *datasets.Dataset.from_list(log).column_names)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
