#!/usr/bin/env bash
# NumPy 2.4.6
# One would guess: the mean of a column is the same, taken alone or with its neighbours.
# What happens: float32 is added in pairs along the last axis only: means over axis 0 lose per cents, variances far from 0 everything.
# So: mean(axis=0, dtype=float), and var likewise.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="ten million times 0.1: 0.109 over axis 0, 0.100 alone; variance of 10000 + noise: above 100 over axis 0, 1.00 alone"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np

columns = np.full((10_000_000, 2), 0.1, dtype="float32")
alone = columns[:, 0].copy()
noisy = (1e4 + np.random.default_rng(0).normal(size=(1_000_000, 2))).astype("float32")
together = noisy.var(axis=0)[0]
print(
    f"ten million times 0.1: {columns.mean(axis=0)[0]:.3f} over axis 0, {alone.mean():.3f} alone; variance of 10000 + noise: "
    f"{'above 100' if together > 100 else together} over axis 0, {noisy[:, 0].copy().var():.2f} alone"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
