#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6
# One would guess: zscore(signal) returns a new signal.
# What happens: it writes over the one that it is given, and takes its unit: inplace=True by default.
# So: inplace=False.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="mV before, dimensionless after"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import elephant.signal_processing
import neo
import numpy as np
import quantities as pq

signal = neo.AnalogSignal(np.arange(10.0)[:, None], units="mV", sampling_rate=1 * pq.Hz)
before = signal.dimensionality.string
elephant.signal_processing.zscore(signal)
print(f"{before} before, {signal.dimensionality.string} after")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
