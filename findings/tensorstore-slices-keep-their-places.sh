#!/usr/bin/env bash
# tensorstore 0.1.86
# One would guess: a slice counts from 0 as NumPy's does, and -1 is the last.
# What happens: z[4:8] keeps the indices 4 to 7: [4] is its first value, [0] raises, and so does z[-1].
# So: translate: z[4:8][ts.d[0].translate_to[0]], or read first and index the array.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="z[4:8][4] is 4, z[4:8][0] IndexError, z[-1] IndexError, read first 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorstore==0.1.86 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import tensorstore

z = tensorstore.array(np.arange(10))
part = z[4:8]


def told(ask):
    try:
        return int(ask().read().result())
    except (IndexError, ValueError) as error:
        return type(error).__name__


print(
    f"z[4:8][4] is {told(lambda: part[4])}, z[4:8][0] {told(lambda: part[0])}, z[-1] {told(lambda: z[-1])}, "
    f"read first {part.read().result()[0]}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
