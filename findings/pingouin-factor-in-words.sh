#!/usr/bin/env bash
# pingouin 0.7.0
# One would guess: the Bayes factor in the table of a t-test is a number, as bayesfactor_ttest gives it.
# What happens: it is a text, rounded to three digits; above 10,000 as 1.02e+05. A comparison with 10 raises, a sort goes by letters.
# So: convert the column, or call bayesfactor_ttest.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="table: str, bayesfactor_ttest: float"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pingouin==0.7.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 statsmodels==0.15.0 scikit-learn==1.9.1 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pingouin

draw = np.random.default_rng(0).normal
table = pingouin.ttest(draw(size=20), draw(size=20))
print(f"table: {type(table['BF10'].iloc[0]).__name__}, bayesfactor_ttest: {type(float(pingouin.bayesfactor_ttest(2.0, 20))).__name__}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
