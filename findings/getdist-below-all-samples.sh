#!/usr/bin/env bash
# GetDist 1.7.7
# One would guess: an interval of samples that are all positive begins at or above 0, and their density is largest there
# What happens: densities are smoothed across 0 unless ranges are given: the 95 % interval begins below 0, and the density at 0 is a third of the largest
# So: limits of what cannot be negative (widths, temperatures, norms) are percentiles, or are told their range
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="below 0 0.3; from 0 1.0;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check getdist==1.7.7 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
logging.disable(50)
import contextlib, io
import numpy as np
from getdist import MCSamples
samples = abs(np.random.default_rng(0).normal(size=(20000, 1)))
for ranges in {}, {"a": (0, None)}:
    with contextlib.redirect_stdout(io.StringIO()):
        chain = MCSamples(samples=samples, names=["a"], ranges=ranges)
        limit = chain.getMargeStats().parWithName("a").limits[1].lower
        density = chain.get1DDensity("a")
    print("below 0" if limit < 0 else "from 0", f"{density.Prob(1e-6):.1f}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
