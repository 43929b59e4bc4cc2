#!/usr/bin/env bash
# fathon 1.4.0 and MFDFA 0.4.3
# One would guess: a function for detrended fluctuation analysis takes the series, and finds 0.5 in white noise.
# What happens: MFDFA sums the series up itself; fathon wants it summed up (toAggregated) and else finds 0 without a word.
# So: try white noise first.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="MFDFA 0.5, fathon 0.0, fathon of toAggregated 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fathon==1.4.0 MFDFA==0.4.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import fathon
import numpy as np
from fathon import fathonUtils
from MFDFA import MFDFA

x = np.random.default_rng(0).normal(size=5000)
lengths, fluctuations = MFDFA(x, lag=np.unique(np.logspace(1, 3, 20).astype(int)), q=2, order=1)
one = np.polyfit(np.log(lengths), np.log(fluctuations[:, 0]), 1)[0]


def of(series):
    analysis = fathon.DFA(series)
    analysis.computeFlucVec(fathonUtils.linRangeByStep(10, 1000))
    return abs(analysis.fitFlucVec()[0])


print(f"MFDFA {one:.1f}, fathon {of(x):.1f}, fathon of toAggregated {of(fathonUtils.toAggregated(x)):.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
