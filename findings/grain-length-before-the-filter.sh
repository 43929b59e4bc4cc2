#!/usr/bin/env bash
# grain 0.2.18
# One would guess: the length of a filtered data set is how many samples it gives
# What happens: it is the length before the filter: 6 where 3 come; and places that were filtered out give None
# So: steps of an epoch are counted, not computed from a length
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 [0, 2, 4] None"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grain==0.2.18 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import grain.python as grain
even = grain.MapDataset.range(6).filter(lambda number: number % 2 == 0)
print(len(even), list(even), even[1])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
