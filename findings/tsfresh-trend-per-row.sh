#!/usr/bin/env bash
# tsfresh 0.21.2, pandas 2.3.3
# One would guess: with column_sort, linear_trend's slope is per unit of that column.
# What happens: the column sorts and no more: slopes are per row, and a line over uneven steps has a correlation of 0.83.
# So: linear_trend_timewise with a DatetimeIndex, or even steps.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="twice the step: slope 25.77, correlation 0.83"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tsfresh==0.21.2 pandas==2.3.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pandas as pd
from tsfresh.feature_extraction import extract_features

steps = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128.0])
wanted = {"linear_trend": [{"attr": "slope"}, {"attr": "rvalue"}]}
table = pd.DataFrame({"run": 1, "step": steps, "loss": 2 * steps})
found = extract_features(
    table, column_id="run", column_sort="step", default_fc_parameters=wanted, n_jobs=0, disable_progressbar=True
).iloc[0]
print(f"twice the step: slope {found.iloc[0]:.2f}, correlation {found.iloc[1]:.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
