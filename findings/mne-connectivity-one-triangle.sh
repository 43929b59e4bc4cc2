#!/usr/bin/env bash
# mne-connectivity 0.9.0, mne 1.13.2
# One would guess: the dense matrix of a symmetric measure such as coherence is symmetric, with ones or zeros on its diagonal.
# What happens: only what lies under the diagonal is filled in; the other triangle holds zeros.
# So: a reader that takes row to column for a direction sees a directed network, and degrees are wrong.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 of 3 under the diagonal, 0 of 6 on and over it"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne-connectivity==0.9.0 mne==1.13.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from mne_connectivity import spectral_connectivity_epochs

x = np.random.default_rng(0).normal(size=(10, 3, 200))
found = spectral_connectivity_epochs(x, method="coh", sfreq=100, fmin=5, fmax=20, faverage=True, verbose=False)
dense = found.get_data("dense")[:, :, 0]
print(f"{np.count_nonzero(np.tril(dense, -1))} of 3 under the diagonal, {np.count_nonzero(np.triu(dense))} of 6 on and over it")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
