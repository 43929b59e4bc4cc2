#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6
# One would guess: two estimates of the power spectral density of white noise with variance 1 add up to 1
# What happens: Welch's adds up to 1, the multitaper's to 96 at a sampling rate of 100: it is too large by that rate, unless normalization='full'
# So: a density is added up and compared with the variance
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 96 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne, numpy as np
from mne.time_frequency import psd_array_multitaper, psd_array_welch
mne.set_log_level("ERROR")
noise = np.random.default_rng(0).normal(size=(1, 1000))
for estimate, given in (psd_array_welch, {}), (psd_array_multitaper, {}), (psd_array_multitaper, {"normalization": "full"}):
    density, frequencies = estimate(noise, 100.0, **given)
    print(f"{density.sum() * frequencies[1]:.0f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
