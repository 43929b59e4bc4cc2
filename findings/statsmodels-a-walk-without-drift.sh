#!/usr/bin/env bash
# statsmodels 0.15.0, NumPy 2.4.6, SciPy 1.17.1
# One would guess: ARIMA(1, 1, 0) of a series that rises by 1 a step goes on rising, as ARIMA(1, 0, 0) has a mean
# What happens: with differencing there is no constant: the forecast rises ever less and stays; trend='t' is the drift
# So: trend is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['ar.L1', 'sigma2'] ['x1', 'ar.L1', 'sigma2'] True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, warnings
from statsmodels.tsa.arima.model import ARIMA
warnings.simplefilter("ignore")
x = np.cumsum(1 + 0.5 * np.random.default_rng(0).normal(size=200))
plain, drift = (ARIMA(x, order=(1, 1, 0), **options).fit() for options in ({}, {"trend": "t"}))
rise = [float((fit.forecast(200)[-1] - x[-1]) / 200) for fit in (plain, drift)]
print(plain.param_names, drift.param_names, bool(rise[0] < 0.5), bool(rise[1] > 0.9))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
