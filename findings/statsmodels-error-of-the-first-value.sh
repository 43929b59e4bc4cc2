#!/usr/bin/env bash
# statsmodels 0.15.0, SciPy 1.17.1, NumPy 2.4.6
# One would guess: the mean squared error of a random walk's model is the variance of its steps, and the first residual 0 or missing
# What happens: the first value is predicted as 0, and its residual is the level of the series: at a level of 100 with steps of 1 the error of 50 values is above 200; UnobservedComponents does so too
# So: residuals are taken from the second value on, or from loglikelihood_burn
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 True 0.9 0 True 0.9"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import statsmodels.api as sm
from statsmodels.tsa.arima.model import ARIMA
y = 100 + np.random.default_rng(0).normal(size=50).cumsum()
for fit in ARIMA(y, order=(0, 1, 0)).fit(), sm.tsa.UnobservedComponents(y, "llevel").fit(disp=0):
    print(round(float(fit.fittedvalues[0])), fit.mse > 200, f"{np.mean(fit.resid[1:]**2):.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
