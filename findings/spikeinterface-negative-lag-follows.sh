#!/usr/bin/env bash
# spikeinterface 0.105.3, elephant 1.2.1, neo 0.14.6, NumPy 2.4.6
# One would guess: the correlogram of unit a with unit b, which follows it by 5 ms, peaks at 5 ms, as elephant's does
# What happens: correlograms[a, b] peaks at -5 ms
# So: a pair whose order is known is looked at first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-5 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spikeinterface==0.105.3 scipy==1.17.1 pandas==3.0.6 elephant==1.2.1 neo==0.14.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import neo, numpy as np, quantities as pq
from elephant.conversion import BinnedSpikeTrain
from elephant.spike_train_correlation import cross_correlation_histogram
from spikeinterface import NumpySorting
from spikeinterface.postprocessing import compute_correlograms
times = np.array([100, 330, 570, 820])
counts, edges = compute_correlograms(NumpySorting.from_unit_dict({"a": times, "b": times + 5}, 1000.0), window_ms=50, bin_ms=1)
a, b = (BinnedSpikeTrain(neo.SpikeTrain(t * pq.ms, t_stop=1000 * pq.ms), bin_size=1 * pq.ms) for t in (times, times + 5))
histogram, lags = cross_correlation_histogram(a, b)
print(int(edges[np.argmax(counts[0, 1])]), int(lags[np.argmax(histogram.magnitude)]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
