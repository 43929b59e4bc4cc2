#!/usr/bin/env bash
# optax 0.2.8
# One would guess: with 50 steps of warm-up and decay_steps=100 the rate is 0 after 150 steps
# What happens: decay_steps holds the warm-up: it is 0 after 100, and at half of its height after 75
# So: decay_steps is the length of the training
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 1.0, 0.5, 0.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optax==0.2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import optax
schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, 50, 100)
print([round(float(schedule(step)), 3) for step in (0, 50, 75, 100, 150)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
