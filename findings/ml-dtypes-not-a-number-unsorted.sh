#!/usr/bin/env bash
# ml_dtypes 0.6.0, NumPy 2.4.6
# One would guess: sorting puts NaN last in bfloat16, as in every float of NumPy
# What happens: NaN is left where it happens to be, and the numbers around it are not sorted either
# So: values of bfloat16 are widened before they are sorted or ranked
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[5.0, nan, 3.0, 4.0, nan, 1.0] [1.0, 3.0, 4.0, 5.0, nan, nan]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import ml_dtypes
import numpy as np
values = np.array([5, np.nan, 3, 4, np.nan, 1], np.float32)
for dtype in ml_dtypes.bfloat16, np.float16:
    print(np.sort(values.astype(dtype)).astype(float).tolist(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
