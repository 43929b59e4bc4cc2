#!/usr/bin/env bash
# dabest 2025.10.20
# One would guess: bootstrap intervals of two calls without a seed differ a little, and follow numpy.random.seed
# What happens: the seed is 12345 by default: intervals are the same at each call, whatever NumPy's seed is, and say nothing about how far the resampling itself moves them; random_seed gives others
# So: stability of an interval is shown with several values of random_seed
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dabest==2025.10.20
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib, io, numpy as np, pandas as pd
with contextlib.redirect_stdout(io.StringIO()):
    import dabest
draws = np.random.default_rng(0)
table = pd.DataFrame({"a": draws.normal(size=20), "b": draws.normal(1, 1, 20)})
def interval(**options):
    return dabest.load(table, idx=("a", "b"), resamples=500, **options).mean_diff.results["bca_low"][0]
np.random.seed(1)
first = interval()
np.random.seed(2)
print(first == interval(), first == interval(random_seed=7))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
