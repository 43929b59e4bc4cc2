#!/usr/bin/env bash
# bctpy 0.6.1
# One would guess: a clustering coefficient lies between 0 and 1.
# What happens: clustering_coef_wu takes weights as they are: above 1 for weights above 1, without a word.
# So: scale weights to 1 first (weight_conversion(W, 'normalize')).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5.0 with weights of 5, 1.0 scaled"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bctpy==0.6.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bct
import numpy as np

wiring = np.full((4, 4), 5.0)
np.fill_diagonal(wiring, 0)
plain = bct.clustering_coef_wu(wiring).max()
scaled = bct.clustering_coef_wu(bct.weight_conversion(wiring, "normalize")).max()
print(f"{plain:.1f} with weights of 5, {scaled:.1f} scaled")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
