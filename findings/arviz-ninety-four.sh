#!/usr/bin/env bash
# arviz 0.23.4
# One would guess: an interval without a stated probability holds 95 %.
# What happens: it holds 94 %: 1.88 standard deviations, not 1.96.
# So: say hdi_prob, and say it beside the interval.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="holds 0.94"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check arviz==0.23.4 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 xarray==2026.9.0 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import arviz
import numpy as np

draws = np.random.default_rng(0).normal(size=100_000)
low, high = arviz.hdi(draws)
print(f"holds {((draws >= low) & (draws <= high)).mean():.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
