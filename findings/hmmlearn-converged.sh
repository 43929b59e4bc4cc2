#!/usr/bin/env bash
# hmmlearn 0.3.3
# One would guess: `monitor_.converged` is False for a model whose fit was stopped by `n_iter`.
# What happens: it is True: reaching the last iteration counts as convergence.
# So: compare the last two entries of `monitor_.history` with `tol`.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5 iterations, the last gained more than tol, converged: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hmmlearn==0.3.3 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from hmmlearn.hmm import GaussianHMM

x = np.random.default_rng(0).normal(size=(200, 1))
model = GaussianHMM(3, n_iter=5, tol=1e-9, random_state=0).fit(x)
history = list(model.monitor_.history)
print(f"{len(history)} iterations, the last gained {'more' if history[-1] - history[-2] > 1e-9 else 'less'} than tol, converged: {model.monitor_.converged}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
