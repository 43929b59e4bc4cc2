#!/usr/bin/env bash
# nitime 0.12.1, NumPy 2.4.6
# One would guess: the coherence of two independent noises is near 0 by default, or it is said that the record is too short.
# What happens: windows are 64 samples long: 60 samples are one window, whose coherence is 1 at every frequency; 100 samples give 0.5.
# So: records of many windows, and surrogates.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="60: 1.00, 100: 0.47, 2000: 0.01"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nitime==0.12.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from nitime.analysis import CoherenceAnalyzer
from nitime.timeseries import TimeSeries

noise = np.random.default_rng(0).normal(size=(2, 2000))
means = []
for length in (60, 100, 2000):
    series = TimeSeries(noise[:, :length], sampling_interval=1.0)
    means.append(f"{length}: {CoherenceAnalyzer(series).coherence[0, 1].mean():.2f}")
print(", ".join(means))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
