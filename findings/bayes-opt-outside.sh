#!/usr/bin/env bash
# bayesian-optimization 3.4.0
# One would guess: the best of the points that were told is the maximum.
# What happens: a point outside of the bounds is kept in `res` and left out of `max`, without a word: the best one may be missing.
# So: take the best from `res`, or widen the bounds before telling.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="told 1 and 9, kept [1.0, 9.0], max 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bayesian-optimization==3.4.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from bayes_opt import BayesianOptimization

search = BayesianOptimization(None, {"x": (0, 1)}, random_state=0, verbose=0)
search.register({"x": 0.5}, 1.0)
search.register({"x": 2.5}, 9.0)
print(f"told 1 and 9, kept {[float(point['target']) for point in search.res]}, max {search.max['target']:.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
