#!/usr/bin/env bash
# hickle 5.0.3
# One would guess: a list comes back with the numbers that it held.
# What happens: a list of numbers is stored as one array: beside a float, an integer over 2**53 loses its last digit, and True becomes 1.
# So: keep seeds, checksums and flags apart from floats, or as text.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="9007199254740993 beside 0.5: 9007199254740992, beside a word: 9007199254740993; True beside 2: 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hickle==5.0.3 numpy==2.4.6 h5py==3.16.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import hickle


def back(value):
    hickle.dump(value, "a.hkl", mode="w")
    return int(hickle.load("a.hkl")[0])


large = 2**53 + 1
print(f"{large} beside 0.5: {back([large, 0.5])}, beside a word: {back([large, 'a'])}; True beside 2: {back([True, 2])}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
