#!/usr/bin/env bash
# aeon 1.6.0
# One would guess: white noise has no change point
# What happens: ClaSPSegmenter returns as many as n_cps says, which is one by default: one in each of five series
# So: the score of a change is compared with that of noise
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1, 1, 1, 1, 1]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aeon==1.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from aeon.segmentation import ClaSPSegmenter
print([len(ClaSPSegmenter().fit_predict(np.random.default_rng(seed).normal(size=300))) for seed in range(5)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
