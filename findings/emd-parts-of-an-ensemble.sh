#!/usr/bin/env bash
# EMD-signal 1.10.0
# One would guess: the parts of an empirical mode decomposition add up to the series.
# What happens: those of EMD do; those of EEMD leave out what is left of the noise, more than a tenth of the series' amplitude here.
# So: CEEMDAN, or the remainder as a part of its own; and noise_seed(), since each call draws anew.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="furthest from the series: EMD 0.00, EEMD more than 0.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check EMD-signal==1.10.0 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from PyEMD import EEMD, EMD

series = np.sin(np.arange(200) / 5) + 0.2 * np.random.default_rng(0).normal(size=200)
ensemble = EEMD(trials=50)
ensemble.noise_seed(0)
single, many = (np.abs(parts.sum(axis=0) - series).max() for parts in (EMD()(series), ensemble(series)))
print(f"furthest from the series: EMD {single:.2f}, EEMD {'more than 0.1' if many > 0.1 else many}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
