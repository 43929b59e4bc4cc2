#!/usr/bin/env bash
# pingouin 0.7.0, NumPy 2.4.6, SciPy 1.17.1, pandas 3.1.1
# One would guess: a t-test of two samples is Student's, or Welch's, for all of them
# What happens: it is Student's where both have the same size and Welch's where they differ by one (correction='auto'): between 20 and 20 values, and 20 and 21, the degrees of freedom go from 38 to 22.6 and the test is another
# So: correction=True is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="38.0 22.6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pingouin==0.7.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pingouin
rng = np.random.default_rng(0)
a, b = rng.normal(0, 1, 20), rng.normal(1, 5, 20)
for second in b, np.r_[b, b.mean()]:
    print(f"{pingouin.ttest(a, second)['dof'].iloc[0]:.1f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
