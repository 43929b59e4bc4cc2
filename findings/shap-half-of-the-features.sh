#!/usr/bin/env bash
# shap 0.51.0, scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the sum of twenty inputs is explained by twenty equal values, as that of eight is by eight
# What happens: KernelExplainer keeps at most ten features by default (l1_reg): of twenty that count alike ten or more are 0 and the others near 2, without a word; l1_reg=False gives 1 for each
# So: l1_reg=False is given, and a sum of all inputs tried first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True False False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shap==0.51.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import shap
for settings in {}, {"l1_reg": False}:
    np.random.seed(0)
    explainer = shap.KernelExplainer(lambda x: x.sum(1), np.zeros((1, 20)))
    values = explainer.shap_values(np.ones((1, 20)), silent=True, **settings)
    print((np.abs(values) < 1e-6).sum() >= 10, f"{np.abs(values - 1).max() > 0.5}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
