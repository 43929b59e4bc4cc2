#!/usr/bin/env bash
# mne 1.13.2, NumPy 2.4.6, SciPy 1.17.1
# One would guess: permutation_t_test of fifty columns gives the p-value of each column, which may then be corrected
# What happens: each is compared with the largest of all columns under permutation: the p-values are corrected for their number already, above 0.2 where the column alone has 0.008; corrected once more, hardly anything is found
# So: they are not corrected again
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
import numpy as np
from mne.stats import permutation_t_test
from scipy.stats import ttest_1samp
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(15, 50))
p, alone = permutation_t_test(x, 2000, rng=0, verbose="error")[1], ttest_1samp(x, 0).pvalue
print(alone.min() < 0.05, p.min() > 0.2, end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
