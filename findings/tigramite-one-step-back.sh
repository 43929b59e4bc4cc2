#!/usr/bin/env bash
# tigramite 5.2.10.1, joblib 1.6.0, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: PCMCI finds that x drives y three steps later, or says how far back it looked
# What happens: it looks one step back by default (tau_max=1): the link is not found, and the largest value of the pair is that of chance; tau_max=5 finds it at lag 3
# So: the longest lag is stated with the graph
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="2 False 6 True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tigramite==5.2.10.1 joblib==1.6.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from tigramite import data_processing
from tigramite.independence_tests.parcorr import ParCorr
from tigramite.pcmci import PCMCI
draws = np.random.default_rng(0)
x = draws.normal(size=500)
y = np.roll(x, 3) + 0.1 * draws.normal(size=500)
search = PCMCI(data_processing.DataFrame(np.c_[x, y]), ParCorr(), verbosity=0)
for options in {}, {"tau_max": 5}:
    values = np.abs(search.run_pcmci(**options)["val_matrix"][0, 1])
    print(len(values), bool(values.max() > 0.9), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
