#!/usr/bin/env bash
# spikeinterface 0.105.3, NumPy 2.4.6
# One would guess: a channel of 20,000 with one of -20,000 as its reference is 40,000, or is refused
# What happens: differences stay int16 and wrap around: -25536, without a word
# So: recordings are made float32 before they are referenced
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-25536 40000.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spikeinterface==0.105.3 scipy==1.17.1 pandas==3.0.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from spikeinterface import NumpyRecording
from spikeinterface.preprocessing import astype, common_reference
recording = NumpyRecording([np.array([[20000, -20000], [1, 2]], "int16")], 1000.0)
for signal in recording, astype(recording, "float32"):
    print(common_reference(signal, reference="single", ref_channel_ids=[1]).get_traces()[0, 0], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
