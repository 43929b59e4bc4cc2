#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6, quantities 0.16.4, NumPy 2.4.6, SciPy 1.17.1
# One would guess: where the second of two recordings follows the first by 50 ms, correlations peak at one lag
# What happens: the histogram of two spike trains peaks at 50 ms, and the function of two signals at -50 ms
# So: each is tried on a shifted copy before a direction is read off
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="50 -50"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neo
import numpy as np
import quantities as pq
from elephant.conversion import BinnedSpikeTrain
from elephant.signal_processing import cross_correlation_function
from elephant.spike_train_correlation import cross_correlation_histogram
rng = np.random.default_rng(0)
times = np.sort(rng.uniform(1, 9, 50))
trains = [BinnedSpikeTrain(neo.SpikeTrain((times + lag) * pq.s, t_stop=10 * pq.s), bin_size=10 * pq.ms) for lag in (0, 0.05)]
histogram, lags = cross_correlation_histogram(*trains, window=[-20, 20])
print(10 * int(lags[histogram.magnitude.argmax()]), end=" ")
x = rng.normal(size=1000)
signal = neo.AnalogSignal(np.stack([x, np.roll(x, 5)], axis=1), units="mV", sampling_rate=100 * pq.Hz)
function = cross_correlation_function(signal, [0, 1])
print(round(float(function.times[function.magnitude.argmax()].rescale("ms"))))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
