#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6
# One would guess: epochs cut from a recording of nothing but 1 hold 1
# What happens: they hold 0: the mean before the event is subtracted by default, unless baseline=None; and from -0.5 to 0.5 s at 100 Hz they are 101 samples
# So: baseline is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 101 1.0 101"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne, numpy as np
mne.set_log_level("ERROR")
raw = mne.io.RawArray(np.ones((1, 1000)), mne.create_info(["a"], 100.0, "eeg"))
for options in {}, {"baseline": None}:
    epochs = mne.Epochs(raw, np.array([[500, 0, 1]]), 1, -0.5, 0.5, preload=True, **options)
    print(float(epochs.get_data().max()), epochs.get_data().shape[-1], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
