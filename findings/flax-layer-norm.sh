#!/usr/bin/env bash
# flax 0.12.8 and torch 2.13.0
# One would guess: a fresh layer norm gives the same numbers in both.
# What happens: epsilon is 1e-6 in one, 1e-5 in the other: small activations, as early in training, differ by a tenth and more.
# So: carry epsilon with the weights.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="differ by more than 0.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax
import numpy as np
import torch
from flax import linen

x = (0.01 * np.random.default_rng(0).normal(size=(4, 8))).astype(np.float32)
layer = linen.LayerNorm()
ours = np.asarray(layer.apply(layer.init(jax.random.key(0), x), x))
theirs = torch.nn.functional.layer_norm(torch.tensor(x), (8,)).numpy()
print("differ by more than 0.1" if np.abs(ours - theirs).max() > 0.1 else "agree")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
