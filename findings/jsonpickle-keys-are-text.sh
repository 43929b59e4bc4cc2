#!/usr/bin/env bash
# jsonpickle 4.1.4
# One would guess: what is pickled as JSON comes back with the types it had
# What happens: values do, keys of dictionaries do not: 1 is '1' and (1, 2) is the text '(1, 2)', so that 1 and '1' become one key; keys=True keeps them
# So: layers and seeds are not keys, or keys=True is set on both sides
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'1': 'a', '(1, 2)': (3,)} True 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jsonpickle==4.1.4
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jsonpickle
data = {1: "a", (1, 2): (3,)}
print(jsonpickle.decode(jsonpickle.encode(data)), jsonpickle.decode(jsonpickle.encode(data, keys=True), keys=True) == data, len(jsonpickle.decode(jsonpickle.encode({1: "a", "1": "b"}))))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
