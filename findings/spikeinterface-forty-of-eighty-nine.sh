#!/usr/bin/env bash
# spikeinterface 0.105.3, NumPy 2.4.6
# One would guess: a unit of which 40 of 89 spikes were found, and none wrongly, has a recall of 0.45 and a precision of 1
# What happens: below an agreement of 0.5 two units are no match, and all scores are 0; with 60 of 89 they are 0.67 and 1
# So: match_score is lowered, or agreement_scores are read themselves
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="89 40 0.00 0.00; 89 60 0.67 1.00;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check spikeinterface==0.105.3 scipy==1.17.1 pandas==3.0.6 numba==0.68.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from spikeinterface import NumpySorting
from spikeinterface.comparison import compare_sorter_to_ground_truth
times = np.arange(100, 9000, 100)
true = NumpySorting.from_unit_dict({"a": times}, 1000.0)
for found in 40, 60:
    seen = NumpySorting.from_unit_dict({"b": times[:found]}, 1000.0)
    scores = compare_sorter_to_ground_truth(true, seen).get_performance().iloc[0]
    print(len(times), found, f"{scores['recall']:.2f} {scores['precision']:.2f}", end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
