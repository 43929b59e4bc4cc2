#!/usr/bin/env bash
# hyperopt 0.3.0
# One would guess: fmin returns the value of hp.choice that was best.
# What happens: it returns its place in the list, an integer like the values themselves.
# So: space_eval before the value is used.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="width 2, by space_eval 100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hyperopt==0.3.0 numpy==2.4.6 scipy==1.17.1 setuptools==80.10.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import hyperopt
import numpy as np

space = hyperopt.hp.choice("width", [32, 64, 100])
best = hyperopt.fmin(lambda width: (width - 100) ** 2, space, algo=hyperopt.tpe.suggest, max_evals=10, rstate=np.random.default_rng(0), verbose=False)
print(f"width {best['width']}, by space_eval {hyperopt.space_eval(space, best)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
