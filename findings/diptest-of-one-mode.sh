#!/usr/bin/env bash
# diptest 0.12.0
# One would guess: of samples with one mode, the test rejects 5 % at 5 %.
# What happens: its null is the uniform distribution, the worst case: of normal samples below 2 % have p < 0.05, and the median p is 0.9.
# So: a p-value near 1 is the rule for one mode; do not look for uniform ones.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="normal: below 2 %, median p 0.9"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check diptest==0.12.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import diptest
import numpy as np

rng = np.random.default_rng(0)
p = np.array([diptest.diptest(rng.normal(size=100))[1] for _ in range(300)])
share = (p < 0.05).mean()
print(f"normal: {'below 2 %' if share < 0.02 else share}, median p {np.median(p):.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
