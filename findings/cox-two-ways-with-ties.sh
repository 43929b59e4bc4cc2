#!/usr/bin/env bash
# scikit-survival 0.28.0, lifelines 0.30.3, NumPy 2.4.6
# One would guess: Cox's regression of one table gives one coefficient in both libraries, with times that are whole steps
# What happens: equal times are handled by Breslow's approximation in scikit-survival and by Efron's in lifelines: 0.95 and 1.14 with many ties; ties='efron' gives the second
# So: times counted in evaluations are tied more often than not: the way is named
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.95 1.14 1.14"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-survival==0.28.0 lifelines==0.30.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pandas as pd
from lifelines import CoxPHFitter
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv
draws = np.random.default_rng(0)
x = draws.normal(size=100)
t = np.ceil(np.exp(-x) * draws.exponential(size=100) * 3)
y = Surv.from_arrays(np.ones(100, bool), t)
usual = [float(CoxPHSurvivalAnalysis(**options).fit(x[:, None], y).coef_[0]) for options in ({}, {"ties": "efron"})]
other = CoxPHFitter().fit(pd.DataFrame({"x": x, "t": t, "e": 1}), "t", "e").params_["x"]
print(*[round(float(v), 2) for v in (*usual, other)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
