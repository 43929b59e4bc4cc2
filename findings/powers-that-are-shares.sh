#!/usr/bin/env bash
# yasa 0.8.1, mne-features 0.3.2, NumPy 2.4.6
# One would guess: the power of a band is in the square of the signal's unit: it is a hundred times as large for a signal that is ten times as large
# What happens: it is a share in both: the same number for both signals; yasa's shares are of the bands together, so that leaving out a band raises the others; relative=False and normalize=False give powers
# So: a rise of a band is not told from a fall of the others without the flag
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.113] 0.076 [0.113] 0.076 [0.5]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check yasa==0.8.1 mne-features==0.3.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, yasa
from mne_features.univariate import compute_pow_freq_bands
x = np.random.default_rng(0).normal(size=3000)
for size in 1, 10:
    print(yasa.bandpower(size * x, sf=100)["Alpha"].round(3).tolist(), compute_pow_freq_bands(100.0, size * x[None], np.array([8.0, 12]))[0].round(3), end=" ")
print(yasa.bandpower(x, sf=100, bands=[(8, 12, "Alpha"), (12, 16, "Sigma")])["Alpha"].round(1).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
