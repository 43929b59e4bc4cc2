#!/usr/bin/env bash
# spectral_connectivity 2.0.1
# One would guess: pairwise_spectral_granger_prediction()[..., i, j] is the influence of i on j, as nitime's causality_xy is.
# What happens: it is that of j on i: where 0 drives 1, the large value stands at [1, 0].
# So: transpose before it is compared with a wiring that is source by target.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 drives 1: [0, 1] 0.0, [1, 0] 2.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spectral_connectivity==2.0.1 numpy==2.4.6 scipy==1.17.1 xarray==2026.9.0 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import numpy as np
from spectral_connectivity import Connectivity, Multitaper

warnings.simplefilter("ignore")
draw = np.random.default_rng(0).normal
a = draw(size=4000)
b = 0.8 * np.roll(a, 1) + 0.3 * draw(size=4000)
trials = np.stack([a, b], axis=-1).reshape(40, 100, 2).transpose(1, 0, 2)
spectrum = Multitaper(trials, sampling_frequency=100, time_halfbandwidth_product=3)
seen = np.nanmean(Connectivity.from_multitaper(spectrum).pairwise_spectral_granger_prediction(), axis=(0, 1))
print(f"0 drives 1: [0, 1] {seen[0, 1]:.1f}, [1, 0] {seen[1, 0]:.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
