#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6, quantities 0.16.4, NumPy 2.4.6, SciPy 1.17.1
# One would guess: surrogates of a spike train hold as many spikes as it does
# What happens: dithered spikes that leave the recording are dropped by default: with a dither of 2 s in 10 s a tenth is missing, all of it near the ends, so that rates there, and what is compared with them, are lower; edges=False keeps all
# So: edges=False is given, or the ends are left out of the comparison
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.9 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 quantities==0.16.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import quantities as pq
from elephant.spike_train_surrogates import dither_spikes
from neo import SpikeTrain
np.random.seed(0)
train = SpikeTrain(np.linspace(0.01, 9.99, 1000) * pq.s, t_stop=10 * pq.s)
for settings in {}, {"edges": False}:
    kept = np.mean([len(s) for s in dither_spikes(train, dither=2 * pq.s, n_surrogates=20, **settings)])
    print(f"{kept / 1000:.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
