#!/usr/bin/env bash
# optax 0.2.8
# One would guess: of two joined schedules the second one is asked for the step of the training: 0.25 at step 20 if it halves every ten
# What happens: it begins at 0 where it takes over: 1 at step 20, and 0.5 at step 30
# So: a schedule of the whole training is not cut and joined
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 1.0, 0.5]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import optax
schedule = optax.join_schedules([optax.constant_schedule(1.0), optax.exponential_decay(1.0, 10, 0.5)], [20])
print([float(schedule(step)) for step in (19, 20, 30)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
