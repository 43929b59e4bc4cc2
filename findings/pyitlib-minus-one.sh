#!/usr/bin/env bash
# pyitlib 0.3.1
# One would guess: a variable that is -1 or 1 with equal shares has an entropy of one bit
# What happens: -1 is a missing value unless fill_value says otherwise: the entropy is 0, and so is the variable's information about itself
# So: information is measured on states counted from 0
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 0.0 1.0 1.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyitlib==0.3.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==2.3.3 future==1.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from pyitlib import discrete_random_variable as information
signs = np.array([-1, 1] * 50)
zeros = (signs + 1) // 2
print(*(f"{information.entropy(x):.1f} {information.information_mutual(x, x):.1f}" for x in (signs, zeros)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
