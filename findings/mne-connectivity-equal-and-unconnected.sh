#!/usr/bin/env bash
# mne-connectivity 0.9.0, mne 1.13.2, NumPy 2.4.6
# One would guess: the envelopes of two nearly equal signals have a correlation near 1
# What happens: what two signals share at the same phase is taken out first by default: 0.0; a quarter of a period apart they have 0.98
# So: orthogonalize=False is given for signals that are not mixed by a skull
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 1.0; 1.0 1.0;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne-connectivity==0.9.0 mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import mne, numpy as np
from mne_connectivity import envelope_correlation
mne.set_log_level("ERROR")
rng = np.random.default_rng(0)
envelope = 1 + 0.8 * rng.normal(size=20).repeat(50)
phase = 2 * np.pi * 10 * np.arange(1000) / 200
data = np.array([envelope * np.sin(phase), envelope * np.sin(phase), envelope * np.cos(phase)]) + 0.01 * rng.normal(size=(3, 1000))
for given in {}, {"orthogonalize": False}:
    seen = envelope_correlation(data[None], **given).get_data("dense")[0, ..., 0]
    print(f"{abs(seen[0, 1]):.1f} {seen[0, 2]:.1f}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
