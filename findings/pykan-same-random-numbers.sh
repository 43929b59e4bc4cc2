#!/usr/bin/env bash
# pykan 0.2.8, torch 2.13.0
# One would guess: making a network leaves the global generators alone, or draws from them.
# What happens: it sets those of PyTorch, NumPy and Python to its own `seed`, 1 by default: whatever was seeded before is forgotten.
# So: make the network first and seed afterwards; a sweep over seeds that are set before gives one result.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after seeds 5 and 6: torch the same, numpy the same, random the same"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pykan==0.2.8 torch==2.13.0 numpy==2.4.6 matplotlib==3.11.2 scikit-learn==1.9.1 sympy==1.14.0 pandas==2.3.3 tqdm==4.70.1 pyyaml==6.0.4
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import io
import random

import numpy as np
import torch
from kan import KAN


def draws(seed):
    torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        KAN(width=[2, 1, 1], auto_save=False)
    return torch.rand(1).item(), np.random.rand(), random.random()


same = ["the same" if a == b else "another" for a, b in zip(draws(5), draws(6))]
print(f"after seeds 5 and 6: torch {same[0]}, numpy {same[1]}, random {same[2]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
