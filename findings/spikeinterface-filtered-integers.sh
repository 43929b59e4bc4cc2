#!/usr/bin/env bash
# spikeinterface 0.105.3
# One would guess: a filtered recording holds floats.
# What happens: bandpass_filter and common_reference of an int16 recording give int16 again: what is below one unit is gone.
# So: dtype='float32', or scale the recording first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="int16 and int16; of noise of 3 units more than a quarter becomes 0, with dtype='float32' nothing"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spikeinterface==0.105.3 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import spikeinterface.core as core
import spikeinterface.preprocessing as preprocessing

noise = (3 * np.random.default_rng(0).normal(size=(4000, 2))).round().astype("int16")
recording = core.NumpyRecording([noise], 1000.0)


def filtered(**how):
    return preprocessing.bandpass_filter(recording, freq_min=100, freq_max=200, ignore_low_freq_error=True, **how)


def zeros(**how):
    share = (filtered(**how).get_traces() == 0).mean()
    return "more than a quarter" if share > 0.25 else "nothing" if share == 0 else f"{share:.0%}"


print(
    f"{filtered().get_dtype()} and {preprocessing.common_reference(recording).get_dtype()}; "
    f"of noise of 3 units {zeros()} becomes 0, with dtype='float32' {zeros(dtype='float32')}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
