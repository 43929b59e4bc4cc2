#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6
# One would guess: solve_ivp keeps the amplitude of an oscillator without damping to within a per cent over a hundred turns, with whichever method
# What happens: with the default tolerances (rtol=1e-3) it has grown to 1.46 with LSODA, and fallen to 0.96 with DOP853; RK45 keeps 0.99
# So: rtol and atol are given, and energies of a known case looked at, before a drift is taken for dynamics
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="LSODA 1.46 DOP853 0.96 RK45 0.99"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from scipy.integrate import solve_ivp
for method in "LSODA", "DOP853", "RK45":
    end = solve_ivp(lambda t, y: [y[1], -y[0]], (0, 200 * np.pi), [1, 0], method=method).y[:, -1]
    print(method, f"{np.hypot(*end):.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
