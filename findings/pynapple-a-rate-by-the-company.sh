#!/usr/bin/env bash
# pynapple 0.11.4, NumPy 2.4.6
# One would guess: the rate of a unit is its number of spikes over its own time
# What happens: in a group it is taken over the union of all units' times, where none is given: a unit of ten spikes in nine seconds has 1.11 Hz alone, and 0.56 Hz beside a unit that fired later
# So: time_support is given with the group
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.11 0.56"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynapple==0.11.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pynapple
early, late = pynapple.Ts(np.arange(10.0)), pynapple.Ts(np.arange(100.0, 110.0))
for group in {0: early}, {0: early, 1: late}:
    print(f"{pynapple.TsGroup(group).rates[0]:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
