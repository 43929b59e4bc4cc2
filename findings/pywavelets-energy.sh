#!/usr/bin/env bash
# PyWavelets 1.9.0
# One would guess: the coefficients of an orthogonal wavelet have the energy of the signal, and are as many as its samples.
# What happens: wavedec continues the signal beyond its ends by mirroring: 119 coefficients of 100 samples, and a sixth more energy.
# So: the mode periodization and a length that is a multiple of 2**level keep both; otherwise do not sum energies over scales.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="samples 100, coefficients 119, energy 93.2 and 108.6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyWavelets==1.9.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pywt

signal = np.random.default_rng(0).normal(size=100)
found = np.concatenate(pywt.wavedec(signal, "db4", level=3))
print(f"samples {signal.size}, coefficients {found.size}, energy {(signal**2).sum():.1f} and {(found**2).sum():.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
