#!/usr/bin/env bash
# optuna 5.0.0
# One would guess: a queued trial whose value lies outside of the search space is refused, or clipped to it.
# What happens: the value is used as it is, with a warning: the best trial may lie where the search may not go.
# So: check what is queued against the range oneself.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="range 0 to 1, best x 100.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optuna==5.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import optuna

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study()
study.enqueue_trial({"x": 100.0})
study.optimize(lambda trial: -trial.suggest_float("x", 0, 1), n_trials=3)
print(f"range 0 to 1, best x {study.best_params['x']}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
