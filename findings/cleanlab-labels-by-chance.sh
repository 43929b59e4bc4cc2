#!/usr/bin/env bash
# cleanlab 2.9.0
# One would guess: labels drawn from the very probabilities that are handed over have no errors to be found
# What happens: a third of them are listed as errors where the probability is 0.7 throughout: what is rare is taken for wrong
# So: labels that a model doubts are no errors of labelling as long as the case itself is open
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.32 of all, 0 of the frequent label, 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cleanlab==2.9.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from cleanlab.filter import find_label_issues
drawn = np.random.default_rng(0).random(1000) < 0.7
found = find_label_issues(drawn.astype(int), np.tile([0.3, 0.7], (1000, 1)), n_jobs=1)
print(f"{found.mean():.2f} of all, {found[drawn].sum()} of the frequent label, {(found == ~drawn).mean():.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
