#!/usr/bin/env bash
# nemos 0.2.8
# One would guess: a causal convolution starts at the event, as numpy.convolve does.
# What happens: it starts one sample later: an event at 50 is seen from 51 on, and the first window is NaN.
# So: predictor_causality='acausal' or a shift of one, and leave the NaN out when fitting with another library.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="event at 50, first value above 0 at 51, NaN 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nemos==0.2.8 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import nemos
import numpy as np

events = np.zeros(100)
events[50] = 1
features = np.asarray(nemos.basis.RaisedCosineLogConv(5, window_size=20).compute_features(events))
first = np.flatnonzero(np.nan_to_num(features).sum(axis=1) > 0)[0]
print(f"event at 50, first value above 0 at {first}, NaN {np.isnan(features).any(axis=1).sum()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
