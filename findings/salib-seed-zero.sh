#!/usr/bin/env bash
# SALib 1.6.0
# One would guess: with seed=0 the intervals of given samples are the same twice.
# What happens: 0 is taken for no seed (`if seed`): S1_conf differs between two calls; with seed=1 it does not.
# So: any seed but 0.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="seed=0: S1_conf differs, seed=1: the same"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check SALib==1.6.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from SALib.analyze import sobol
from SALib.sample import sobol as samples

problem = {"num_vars": 2, "names": ["a", "b"], "bounds": [[0, 1]] * 2}
outputs = samples.sample(problem, 64, seed=1).sum(axis=1)


def twice(seed):
    one, two = (sobol.analyze(problem, outputs, seed=seed)["S1_conf"] for _ in range(2))
    return "the same" if np.array_equal(one, two) else "S1_conf differs"


print(f"seed=0: {twice(0)}, seed=1: {twice(1)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
