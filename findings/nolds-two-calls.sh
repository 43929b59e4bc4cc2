#!/usr/bin/env bash
# nolds 0.6.2 (0.6.3 cannot be imported in Python 3.11), scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: the Lyapunov exponent and the Hurst exponent of one series are the same at each call
# What happens: lines are fitted by RANSAC, which draws from NumPy's global generator: twenty calls give several values of each, unless fit='poly'
# So: fit='poly' is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True 1; True 1;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nolds==0.6.2 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, nolds
series = np.empty(600)
series[0] = 0.4
for i in range(599):
    series[i + 1] = 4 * series[i] * (1 - series[i])
for measure in nolds.lyap_r, nolds.hurst_rs:
    print(len({measure(series) for _ in range(20)}) > 1, len({measure(series, fit="poly") for _ in range(5)}), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
