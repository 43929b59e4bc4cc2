#!/usr/bin/env bash
# powerlaw 2.0.0
# One would guess: integers are fitted as integers: 2.5 for numbers drawn with an exponent of 2.5.
# What happens: they are fitted as continuous numbers: 3.0, without a word, unless discrete=True is given.
# So: say discrete=True for sizes, counts and degrees.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="as they are 3.0, discrete 2.5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check powerlaw==2.0.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import io

import numpy as np
import powerlaw

sizes = np.random.default_rng(0).zipf(2.5, 20_000)
with contextlib.redirect_stdout(io.StringIO()):
    plain = powerlaw.Fit(sizes, xmin=1).power_law.alpha
    discrete = powerlaw.Fit(sizes, xmin=1, discrete=True).power_law.alpha
print(f"as they are {plain:.1f}, discrete {discrete:.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
