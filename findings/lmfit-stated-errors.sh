#!/usr/bin/env bash
# lmfit 1.3.4
# One would guess: standard errors double when every stated error of the data doubles.
# What happens: they stay: by default they are rescaled so that the reduced chi-square is 1.
# So: give scale_covar=False where the errors of the data are known.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.065 0.065; without rescaling 0.074 0.147"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lmfit==1.3.4 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import lmfit
import numpy as np

x = np.linspace(0, 1, 20)
y = x + np.random.default_rng(0).normal(0, 0.1, 20)
line = lmfit.models.LinearModel()


def error(size, **how):
    return line.fit(y, x=x, weights=1 / size, **how).params["slope"].stderr


print(f"{error(0.1):.3f} {error(0.2):.3f}; without rescaling", end=" ")
print(f"{error(0.1, scale_covar=False):.3f} {error(0.2, scale_covar=False):.3f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
