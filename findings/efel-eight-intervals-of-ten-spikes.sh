#!/usr/bin/env bash
# eFEL 5.7.34, NumPy 2.4.6
# One would guess: ten spikes have nine intervals, and their frequency is their number over the length of the stimulus: 11 Hz in 900 ms
# What happens: the first interval is left out by default, and the frequency is the number over the time of the last spike: eight intervals, and 20 Hz
# So: ignore_first_ISI is set to False, and a rate is counted over the whole stimulus
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="10 8 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check efel==5.7.34 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import efel, numpy as np
time = np.arange(0, 1000, 0.1)
voltage = np.full(len(time), -70.0)
for peak in range(100, 600, 50):
    voltage += 110 * np.exp(-(((time - peak) / 0.5) ** 2))
trace = {"T": time, "V": voltage, "stim_start": [50], "stim_end": [950]}
seen = efel.get_feature_values([trace], ["Spikecount", "ISI_values", "mean_frequency"])[0]
print(seen["Spikecount"][0], len(seen["ISI_values"]), f"{seen['mean_frequency'][0]:.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
