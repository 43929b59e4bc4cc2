#!/usr/bin/env bash
# statsmodels 0.15.0
# One would guess: a NaN among p-values is left out, or refused.
# What happens: Holm counts it as a test; Benjamini-Hochberg gives NaN for every p-value.
# So: one series that could not be tested takes all others with it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="holm [0.03, nan, 0.04] bh [nan, nan, nan]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import numpy as np
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("ignore")
given = [0.01, np.nan, 0.02]
print("holm", np.round(multipletests(given, method="holm")[1], 6).tolist(), end=" ")
print("bh", multipletests(given, method="fdr_bh")[1].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
