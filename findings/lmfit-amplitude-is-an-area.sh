#!/usr/bin/env bash
# lmfit 1.3.4, NumPy 2.4.6, SciPy 1.17.1
# One would guess: the amplitude of a fitted Gaussian is its height: 1
# What happens: it is its area: 1.25 for a height of 1 and a width of 0.5; height is a parameter of its own, and a wider peak of the same height has a larger amplitude
# So: heights are read from height
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.25 1.0 0.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lmfit==1.3.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from lmfit.models import GaussianModel
x = np.linspace(-5, 5, 101)
fit = GaussianModel().fit(np.exp(-(x**2) / 2 / 0.25), x=x, amplitude=1, center=0, sigma=1)
print(round(fit.params["amplitude"].value, 2), round(fit.params["height"].value, 2), round(fit.params["sigma"].value, 2))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
