#!/usr/bin/env bash
# annoy 1.17.3
# One would guess: the angular distance of orthogonal vectors is a right angle, or 1 as one minus the cosine.
# What happens: it is the chord between them on the unit circle, 1.41.
# So: convert: cosine = 1 - d * d / 2.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.41"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check annoy==1.17.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from annoy import AnnoyIndex

index = AnnoyIndex(2, "angular")
index.add_item(0, [1, 0])
index.add_item(1, [0, 1])
index.build(1)
print(f"{index.get_distance(0, 1):.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
