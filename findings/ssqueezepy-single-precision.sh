#!/usr/bin/env bash
# ssqueezepy 0.6.6
# One would guess: a wavelet transform of a float64 series is complex128, and its frequencies rise
# What happens: it is complex64, and frequencies fall from row to row
# So: differences below 1e-7 of a series are lost in it; an axis of frequencies is read, not assumed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="float64 complex64 float32 falling"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ssqueezepy==0.6.6 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["SSQ_PARALLEL"] = "0"
import numpy as np
from ssqueezepy import cwt, ssq_cwt
x = np.cos(0.2 * np.pi * np.arange(512))
transform, scales = cwt(x)
_, _, frequencies, _ = ssq_cwt(x, fs=1.0)
print(x.dtype, transform.dtype, scales.dtype, "falling" if (np.diff(frequencies) < 0).all() else "rising")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
