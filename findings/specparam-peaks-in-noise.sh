#!/usr/bin/env bash
# specparam 2.0.0rc7, NumPy 2.4.6
# One would guess: a spectrum that falls as a power, with the scatter that estimates have, has no peaks.
# What happens: any number of peaks may be fitted, and what stands out by two standard deviations is one: ten and more on each of five spectra.
# So: max_n_peaks and min_peak_height, and spectra without a peak beside each result.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="at least five peaks in each of five: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check specparam==2.0.0rc7 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from specparam import SpectralModel

frequencies = np.linspace(0, 50, 501)[1:]
counts = []
for seed in range(5):
    scatter = np.exp(np.random.default_rng(seed).normal(0, 0.3, len(frequencies)))
    model = SpectralModel(verbose=False)
    model.fit(frequencies, 10 / frequencies**1.5 * scatter, [1, 40])
    counts.append(len(model.get_params("peak")))
print(f"at least five peaks in each of five: {min(counts) >= 5}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
