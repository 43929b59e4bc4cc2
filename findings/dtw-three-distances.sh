#!/usr/bin/env bash
# dtaidistance 2.5.1, dtw-python 1.9.0, fastdtw 0.3.4
# One would guess: the dynamic time warping distance of two series is one number.
# What happens: the root of summed squares; absolute values with diagonal steps counted twice; absolute values on an approximate path.
# So: name the library, the step pattern and the local distance beside each number.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3.94, 23.95 and 21.84; without double steps and with a wide radius 20.16 and 20.16"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dtaidistance==2.5.1 dtw-python==1.9.0 fastdtw==0.3.4 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import os

import numpy as np
from dtaidistance import dtw as dtai
from fastdtw import fastdtw

with contextlib.redirect_stdout(open(os.devnull, "w")):
    import dtw

a, b = np.random.default_rng(0).normal(size=(2, 30))
print(
    f"{dtai.distance(a, b):.2f}, {dtw.dtw(a, b).distance:.2f} and {fastdtw(a, b)[0]:.2f}; without double steps and with a wide "
    f"radius {dtw.dtw(a, b, step_pattern='symmetric1').distance:.2f} and {fastdtw(a, b, radius=30)[0]:.2f}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
