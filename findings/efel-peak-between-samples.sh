#!/usr/bin/env bash
# eFEL 5.7.34, NumPy 2.4.6
# One would guess: the highest voltage is that of the recording
# What happens: recordings are resampled to 0.1 ms first: of a spike that reaches 40.0 mV, sampled at 0.01 ms, 35.7 mV is left, unless interp_step is set
# So: interp_step is set to the step of the recording
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="40.0 35.7 40.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check efel==5.7.34 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import efel, numpy as np
time = np.arange(0, 100, 0.01)
voltage = -70 + 110 * np.exp(-(((time - 50.03) / 0.15) ** 2))
trace = {"T": time, "V": voltage, "stim_start": [10], "stim_end": [90]}
print(f"{voltage.max():.1f}", end=" ")
for step in None, 0.01:
    if step:
        efel.set_setting("interp_step", step)
    print(f"{efel.get_feature_values([trace], ['maximum_voltage'])[0]['maximum_voltage'][0]:.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
