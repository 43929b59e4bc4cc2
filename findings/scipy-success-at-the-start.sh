#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: minimize of a parabola around 3 ends at 3, or says that it did not
# What happens: where the function is computed in float32, or is a millionth as large, it stays at its start, 0, and says success, with no iteration: slopes come from steps of 1e-8, which float32 does not see, and a slope below 1e-5 counts as none
# So: losses are given in float64 and a size near 1, with jac= where there is one, and nit is looked at
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3.0 True 2 0.0 True 0 0.0 True 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.optimize import minimize
for loss in lambda x: (x[0] - 3) ** 2, lambda x: np.float32((np.float32(x[0]) - 3) ** 2), lambda x: 1e-6 * (x[0] - 3) ** 2:
    found = minimize(loss, [0.0])
    print(f"{found.x[0]:.1f} {found.success} {found.nit}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
