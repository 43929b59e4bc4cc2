#!/usr/bin/env bash
# scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: two classes of make_classification that are ten widths apart can be told apart without an error
# What happens: one label in a hundred is drawn anew (flip_y=0.01), half of them to the other class: no network gets above 99.5 % without learning samples by heart; flip_y=0 gives 100 %
# So: flip_y=0 is given, where a plateau or an onset near 100 % is to be read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.994 1.000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
for settings in {}, {"flip_y": 0}:
    X, y = make_classification(5000, class_sep=10, n_clusters_per_class=1, random_state=0, **settings)
    print(f"{LogisticRegression().fit(X, y).score(X, y):.3f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
