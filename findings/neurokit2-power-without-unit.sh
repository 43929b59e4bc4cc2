#!/usr/bin/env bash
# neurokit2 0.3.0, NumPy 2.4.6
# One would guess: signal_psd gives power in the square of the signal's unit: a sine of 30 has a hundred times the power of one of 3
# What happens: the spectrum is divided by its maximum, and powers of bands come from it: both sines have a peak of 1 and the same power in the band, unless normalize=False
# So: spectra of two recordings are compared with normalize=False, or as shares
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 0.15; 1.0 0.15; True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neurokit2==0.3.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neurokit2 as nk, numpy as np
t = np.arange(0, 20, 0.01)
for size in 3, 30:
    x = size * np.sin(2 * np.pi * 5 * t)
    peak = nk.signal_psd(x, sampling_rate=100, method="welch")["Power"].max()
    band = nk.signal_power(x, [(4, 6)], sampling_rate=100).iloc[0, 0]
    print(round(float(peak), 3), round(float(band), 3), end="; ")
print(nk.signal_psd(3 * np.sin(2 * np.pi * 5 * t), sampling_rate=100, method="welch", normalize=False)["Power"].max() > 2)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
