#!/usr/bin/env bash
# adtk 0.6.2
# One would guess: the first point that a detector of level shifts marks is the first of the new level
# What happens: LevelShiftAD marks a window around a step: two points before it are marked with a window of five
# So: onsets are compared between detectors by what each calls its place, and a mark is no onset
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="148 149 150 151 152"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check adtk==0.6.2 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from adtk.detector import LevelShiftAD
x = np.random.default_rng(0).normal(size=300)
x[150:] += 15
series = pd.Series(x, index=pd.date_range("2026", periods=300, freq="h"))
marked = LevelShiftAD(window=5).fit_detect(series).fillna(False).astype(bool)
print(*np.flatnonzero(marked))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
