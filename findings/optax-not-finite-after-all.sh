#!/usr/bin/env bash
# optax 0.2.8
# One would guess: apply_if_finite never applies a gradient that is NaN
# What happens: it leaves out as many in a row as it was told, and applies the next one: with max_consecutive_errors=3 the fourth makes the weight NaN
# So: a run is stopped by its own check of the loss
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 1.0 1.0 nan nan"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import optax
update = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3)
weight = 1.0
state = update.init(weight)
for _ in range(5):
    change, state = update.update(float("nan"), state, weight)
    weight = optax.apply_updates(weight, change)
    print(weight, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
