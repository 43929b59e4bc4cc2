#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6, pandas 3.1.1
# One would guess: a table of a recording holds the numbers of the recording, in volts
# What happens: to_data_frame multiplies EEG by a million and magnetometers by 1e15, and leaves other kinds of channels as they are; scalings={'eeg': 1} keeps the numbers
# So: scalings are named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1000000.0, 1000000000000000.0, 1.0] [1.0, 1.0, 1.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne, numpy as np
mne.set_log_level("ERROR")
raw = mne.io.RawArray(np.ones((3, 2)), mne.create_info(["a", "b", "c"], 100.0, ["eeg", "mag", "misc"]))
print(raw.to_data_frame().iloc[0, 1:].tolist(), raw.to_data_frame(scalings={"eeg": 1, "mag": 1}).iloc[0, 1:].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
