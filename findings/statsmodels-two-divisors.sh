#!/usr/bin/env bash
# statsmodels 0.15.0, NumPy 2.4.6, SciPy 1.17.1
# One would guess: std of DescrStatsW and std_mean, the error of the mean, go together: the first over the root of n is the second
# What happens: std divides by n and std_mean comes from n - 1: of 1, 2, 3 they are 0.82 and 0.58, where 0.82 / 1.73 is 0.47
# So: ddof=1 is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.82 0.58 0.47; 1.0 0.58 0.58;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from statsmodels.stats.weightstats import DescrStatsW
for options in {}, {"ddof": 1}:
    described = DescrStatsW([1.0, 2, 3], **options)
    print(round(float(described.std), 2), round(float(described.std_mean), 2), round(float(described.std) / 3**0.5, 2), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
