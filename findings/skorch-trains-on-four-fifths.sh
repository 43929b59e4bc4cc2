#!/usr/bin/env bash
# skorch 1.4.0, torch 2.13.0
# One would guess: fit(x, y) trains on x and y, as an estimator of scikit-learn does.
# What happens: on four fifths of them: train_split holds out the rest for validation by default.
# So: train_split=None where folds are made outside.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="of 100 samples 80 are trained on, 100 with train_split=None"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check skorch==1.4.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import torch
from skorch import NeuralNetRegressor

x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
seen = []


class Network(torch.nn.Linear):
    def forward(self, rows):
        if self.training:
            seen.append(len(rows))
        return super().forward(rows)


counts = []
for settings in ({}, {"train_split": None}):
    seen.clear()
    module = {"module__in_features": 3, "module__out_features": 1}
    NeuralNetRegressor(Network, max_epochs=1, verbose=0, **module, **settings).fit(x, x[:, :1])
    counts.append(sum(seen))
print(f"of 100 samples {counts[0]} are trained on, {counts[1]} with train_split=None")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
