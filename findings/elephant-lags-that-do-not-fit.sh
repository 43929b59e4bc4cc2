#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6, NumPy 2.4.6
# One would guess: the cross-correlation of a signal with one that follows it by 7 ms has its peak at 7 ms
# What happens: it has it at -7 ms; and with n_lags=20, 41 values are returned whose times still begin at half the length of the signal: the peak stands at -237 ms
# So: lags are counted from the middle of the values, and a pair with a known lag is tried
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="500 -7.0 ms; 41 -237.0 ms;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import neo, numpy as np, quantities as pq
from elephant.signal_processing import cross_correlation_function
x = np.random.default_rng(0).normal(size=500)
signals = neo.AnalogSignal(np.column_stack([x, np.roll(x, 7)]) * pq.mV, sampling_rate=1 * pq.kHz)
for given in {}, {"n_lags": 20}:
    seen = cross_correlation_function(signals, [[0, 1]], **given)
    print(len(seen), seen.times[np.argmax(seen.magnitude)].rescale("ms"), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
