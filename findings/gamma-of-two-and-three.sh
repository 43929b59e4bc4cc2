#!/usr/bin/env bash
# chaospy 4.3.21, openturns 1.27.post1, SciPy 1.17.1, NumPy 2.4.6
# One would guess: a gamma distribution written as Gamma(2, 3) has one mean
# What happens: it is 6 in chaospy (the second is a scale), 0.67 in openturns (a rate) and 5 in SciPy (a shift)
# So: parameters are given by name
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6.0 0.67 5.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check chaospy==4.3.21 openturns==1.27.post1 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import chaospy, openturns
from scipy import stats
print(float(chaospy.E(chaospy.Gamma(2, 3))), round(openturns.Gamma(2.0, 3.0).getMean()[0], 2), float(stats.gamma(2, 3).mean()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
