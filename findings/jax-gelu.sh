#!/usr/bin/env bash
# jax 0.10.2 and torch 2.13.0
# One would guess: jax.nn.gelu and torch's gelu agree to the precision of float32.
# What happens: jax takes the form with tanh by default, torch the exact one: they differ by up to 5e-4.
# So: name the form when weights go from one to the other.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="default 5e-04, exact below 1e-6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jax==0.10.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax
import numpy as np
import torch

x = np.linspace(-4, 4, 1001, dtype=np.float32)
reference = torch.nn.functional.gelu(torch.tensor(x)).numpy()
default = np.abs(np.asarray(jax.nn.gelu(x)) - reference).max()
exact = np.abs(np.asarray(jax.nn.gelu(x, approximate=False)) - reference).max()
print(f"default {default:.0e}, exact {'below 1e-6' if exact < 1e-6 else exact}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
