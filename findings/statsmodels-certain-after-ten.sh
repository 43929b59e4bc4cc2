#!/usr/bin/env bash
# statsmodels 0.15.0, SciPy 1.17.1, NumPy 2.4.6
# One would guess: the interval of a share, of ten runs that all succeeded, says that the true share may be below 1
# What happens: it is 1 to 1, and 0 to 0 for none of ten: the default is the normal approximation; method='wilson' gives 0.72 to 1
# So: method='wilson' or 'beta' is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.00 1.00 0.00 0.00 0.72 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from statsmodels.stats.proportion import proportion_confint
for count, settings in (10, {}), (0, {}), (10, {"method": "wilson"}):
    print(*(f"{v:.2f}" for v in proportion_confint(count, 10, **settings)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
