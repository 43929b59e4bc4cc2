#!/usr/bin/env bash
# lime 0.2.0.1
# One would guess: the explanation of a linear function is its weights.
# What happens: by default features are cut into quartiles, and a weight says what being in one means: of weights 1 and 2 no trace, and other values at each call.
# So: discretize_continuous=False and random_state.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="by default none of the weights; discretize_continuous=False: {0: 1.0, 1: 2.0} times the standard deviations"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lime==0.2.0.1 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1 scikit-image==0.26.0 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from lime.lime_tabular import LimeTabularExplainer

data = np.random.default_rng(0).normal(size=(500, 3))


def weights(**how):
    explainer = LimeTabularExplainer(data, mode="regression", random_state=0, **how)
    found = explainer.explain_instance(data[0], lambda x: x @ [1.0, 2.0, 0.0])
    return dict(found.local_exp[1 if 1 in found.local_exp else 0])


default, plain = weights(), weights(discretize_continuous=False)
near = {k: round(float(plain[k] / data.std(0)[k]), 1) for k in (0, 1)}
off = all(abs(default[k] / data.std(0)[k] - w) > 0.2 for k, w in ((0, 1), (1, 2)))
print(f"by default {'none' if off else 'some'} of the weights; discretize_continuous=False: {near} times the standard deviations")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
