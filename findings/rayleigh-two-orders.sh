#!/usr/bin/env bash
# pycircstat 0.0.2, pingouin 0.7.0, nose 1.3.7, decorator 5.3.1, NumPy 2.4.6, SciPy 1.17.1, pandas 3.1.1
# One would guess: a Rayleigh test gives its statistic and then p, as other tests do
# What happens: pycircstat gives p first and z second, pingouin z first: of clear angles the first of the two is 0 in the one and above 20 in the other
# So: the two are told apart by a sample whose p is known
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.0 15.96 15.96 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycircstat==0.0.2 pingouin==0.7.0 nose==1.3.7 decorator==5.3.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import pingouin
import pycircstat
angles = np.random.default_rng(0).vonmises(0, 1, 100)
print(*(round(float(v), 2) for v in (*pycircstat.rayleigh(angles), *pingouin.circ_rayleigh(angles))), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
