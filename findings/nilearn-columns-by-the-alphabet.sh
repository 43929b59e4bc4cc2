#!/usr/bin/env bash
# nilearn 0.14.1, pandas 3.1.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the columns of a design matrix stand in the order in which conditions occur
# What happens: they stand in that of the alphabet: of right and then left the first column is left, so that a contrast written as 1, -1 has the other sign
# So: contrasts are written with names
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['left', 'right']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nilearn==0.14.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pandas as pd
from nilearn.glm.first_level import make_first_level_design_matrix
events = pd.DataFrame({"onset": [10.0, 30.0], "duration": [1.0, 1.0], "trial_type": ["right", "left"]})
print(make_first_level_design_matrix(np.arange(60.0), events).columns[:2].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
