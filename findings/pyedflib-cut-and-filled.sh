#!/usr/bin/env bash
# pyEDFlib 0.1.42, NumPy 2.4.6
# One would guess: values beyond physical_max are an error, and 2.5 s of signal come back as 2.5 s.
# What happens: they are cut to the bound without a word, and the signal ends in zeros up to whole seconds.
# So: ask for the extremes first, and store the length beside the file.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="wrote 250 values up to 500; read 300 up to 200, the last 50 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyedflib==0.1.42 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
import tempfile

import numpy as np
import pyedflib

signal = np.linspace(-500, 500, 250)
header = dict(label="a", dimension="uV", sample_frequency=100, physical_min=-200, physical_max=200)
header |= dict(digital_min=-32768, digital_max=32767, transducer="", prefilter="")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "signal.edf")
    with pyedflib.EdfWriter(path, 1) as writer:
        writer.setSignalHeaders([header])
        writer.writeSamples([signal])
    with pyedflib.EdfReader(path) as reader:
        read = reader.readSignal(0)
print(f"wrote 250 values up to 500; read {len(read)} up to {read.max():.0f}, the last 50 {read[250:].mean():.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
