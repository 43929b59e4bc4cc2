#!/usr/bin/env bash
# neo 0.14.6, quantities 0.16.4, NumPy 2.4.6, SciPy 1.17.1
# One would guess: every other value of a ramp from 0 to 9 is 0, 2, 4, 6, 8
# What happens: resample() takes a signal for one turn of a wave whose end meets its start: 2.5, 1.3, 4.5, 5.5, 8.7
# So: the trend is taken out first, or values are averaged over windows
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2.5 1.3 4.5 5.5 8.7"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neo==0.14.6 quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neo
import numpy as np
import quantities as pq
signal = neo.AnalogSignal(np.arange(10.0)[:, None], units="mV", sampling_rate=1000 * pq.Hz)
print(*(f"{value:.1f}" for value in signal.resample(5).magnitude[:, 0]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
