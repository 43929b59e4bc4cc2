#!/usr/bin/env bash
# statsmodels 0.15.0, NumPy 2.4.6
# One would guess: p-values of the KPSS test of white noise are spread from 0 to 1
# What happens: they are cut at 0.1 and 0.01, the ends of a table, with a warning that is easily silenced: most of 50 series have exactly 0.1
# So: such p-values are not put together or corrected
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.1 True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, warnings
from statsmodels.tsa.stattools import kpss
warnings.simplefilter("ignore")
p = [float(kpss(np.random.default_rng(seed).normal(size=200))[1]) for seed in range(50)]
print(max(p), sum(value == 0.1 for value in p) > 35, min(p) >= 0.01)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
