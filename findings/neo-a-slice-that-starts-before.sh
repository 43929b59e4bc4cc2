#!/usr/bin/env bash
# neo 0.14.6, quantities 0.16.4, NumPy 2.4.6
# One would guess: a slice from 2.5 s holds what was measured from 2.5 s on
# What happens: its start is rounded to a sample, halves to the even one: of samples at 0, 1, 2, ... s a slice from 2.5 s begins at 2 s, and one from 3.6 s at 4 s
# So: a stimulus's onset is compared with the first time of the slice
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.0 4.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neo==0.14.6 quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neo
import numpy as np
import quantities as pq
signal = neo.AnalogSignal(np.arange(10.0)[:, None], units="mV", sampling_rate=1 * pq.Hz)
for start in 2.5, 3.6:
    print(float(signal.time_slice(start * pq.s, 8 * pq.s).t_start), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
