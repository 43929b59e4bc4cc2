#!/usr/bin/env bash
# colorednoise 2.2.0
# One would guess: each series of powerlaw_psd_gaussian has a standard deviation of 1.
# What happens: 1 is the expectation; single series of 1,000 steps of exponent 2 range from 0.6 to 1.6.
# So: divide by the standard deviation of the series where a size in units of it is meant.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="exponent 0: 0.95 to 1.05; exponent 2: below 0.7 to above 1.4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check colorednoise==2.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import colorednoise
import numpy as np

flat = [colorednoise.powerlaw_psd_gaussian(0, 1000, random_state=seed).std() for seed in range(40)]
steep = [colorednoise.powerlaw_psd_gaussian(2, 1000, random_state=seed).std() for seed in range(40)]
print("exponent 0: 0.95 to 1.05" if min(flat) > 0.93 and max(flat) < 1.07 else f"{min(flat)} to {max(flat)}", end="; ")
print("exponent 2: below 0.7 to above 1.4" if min(steep) < 0.7 and max(steep) > 1.4 else f"{min(steep)} to {max(steep)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
