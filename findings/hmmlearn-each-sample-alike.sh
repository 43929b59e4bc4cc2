#!/usr/bin/env bash
# hmmlearn 0.3.3, scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6
# One would guess: a model with a random state draws one sequence after another, so that a hundred surrogates differ
# What happens: with random_state=0 each call of sample() starts anew: all are the same sequence; a generator as random_state, or none, gives different ones
# So: a generator, numpy.random.RandomState(0), is given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hmmlearn==0.3.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from hmmlearn.hmm import GaussianHMM
x = np.random.default_rng(0).normal(size=(200, 1))
for state in 0, np.random.RandomState(0):
    model = GaussianHMM(2, random_state=state).fit(x)
    print(len({model.sample(5)[0].tobytes() for _ in range(100)}), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
