#!/usr/bin/env bash
# prophet 1.5.0
# One would guess: a kink of the trend is found wherever it is.
# What happens: changes are sought in the first four fifths of the record alone: one at nine tenths is drawn as a curve that misses it.
# So: changepoint_range=1 where all of the record is asked about.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="last candidate 319 of 400; a kink at 360 missed by more than 5: True, at 200: False, with changepoint_range=1: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prophet==1.5.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging

import numpy as np
import pandas as pd

logging.disable(logging.CRITICAL)
from prophet import Prophet

count = 400
noise = np.random.default_rng(0).normal(0, 0.5, count)


def largest_gap(at, **settings):
    line = np.maximum(0.0, np.arange(count) - at)
    table = pd.DataFrame({"ds": pd.date_range("2020", periods=count), "y": line + noise})
    none = dict(yearly_seasonality=False, weekly_seasonality=False, daily_seasonality=False)
    model = Prophet(**none, **settings).fit(table)
    return np.abs(model.predict(table)["yhat"] - line).max(), model.changepoints.index.max()


middle, late, whole = largest_gap(200), largest_gap(360), largest_gap(360, changepoint_range=1)
print(f"last candidate {late[1]} of {count}; a kink at 360 missed by more than 5: {late[0] > 5}, at 200: {middle[0] > 5}, with changepoint_range=1: {whole[0] > 5}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
