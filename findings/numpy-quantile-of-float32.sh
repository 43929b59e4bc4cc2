#!/usr/bin/env bash
# NumPy 2.4.6
# One would guess: np.quantile of float32 gives float32.
# What happens: it does for one share, and gives float64 for a list of shares.
# So: arrays double in size, and a comparison with float32 values fails by rounding.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="float32 float64"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np

values = np.ones(5, np.float32)
print(np.quantile(values, 0.5).dtype, np.quantile(values, [0.25, 0.5]).dtype)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
