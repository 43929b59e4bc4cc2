#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6
# One would guess: concatenate_raws makes a new recording of several
# What happens: it makes the first one longer and returns it: joined a second time, 300 samples come of two recordings of 100
# So: copies are joined
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="100 200 200 300 300"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne, numpy as np
mne.set_log_level("ERROR")
info = mne.create_info(["a"], 100.0, "eeg")
first, second = (mne.io.RawArray(np.full((1, 100), k, float), info) for k in (0, 1))
print(first.n_times, end=" ")
for _ in range(2):
    print(mne.concatenate_raws([first, second]).n_times, first.n_times, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
