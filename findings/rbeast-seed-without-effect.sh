#!/usr/bin/env bash
# Rbeast 0.1.25
# One would guess: two calls with the same seed give the same probabilities.
# What happens: with mcmc_seed=1 each call gives another mean number of change points.
# So: say the spread over calls beside the answer.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="mcmc_seed=1, three calls: three answers"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Rbeast==0.1.25 numpy==2.4.6 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import io

import numpy as np
import Rbeast

series = np.random.default_rng(0).normal(size=300)
quiet = {"season": "none", "quiet": True, "print_param": False, "print_progress": False}
with contextlib.redirect_stdout(io.StringIO()):
    found = {float(np.ravel(Rbeast.beast(series, mcmc_seed=1, **quiet).trend.ncp)[0]) for _ in range(3)}
print(f"mcmc_seed=1, three calls: {'three' if len(found) == 3 else len(found)} answers")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
