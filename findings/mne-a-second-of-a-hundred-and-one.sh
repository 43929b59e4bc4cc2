#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6
# One would guess: the first and the second second of a recording at 100 Hz have 100 samples each, and none in common
# What happens: crop holds both ends: 101 each, and the sample at 1 s is in both; include_tmax=False leaves it out
# So: pieces that follow each other are cropped with include_tmax=False
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="101 101 100.0 100.0 100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne, numpy as np
mne.set_log_level("ERROR")
raw = mne.io.RawArray(np.arange(300.0)[None], mne.create_info(["a"], 100.0, "eeg"))
a, b = raw.copy().crop(0, 1), raw.copy().crop(1, 2)
print(a.n_times, b.n_times, float(a.get_data()[0, -1]), float(b.get_data()[0, 0]), raw.copy().crop(0, 1, include_tmax=False).n_times)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
