#!/usr/bin/env bash
# pytorch-ignite 0.5.5, torch 2.13.0, NumPy 2.4.6
# One would guess: a cycle of ten steps from 1 to 0 is down at the same step in both cyclical schedules of one library
# What happens: the cosine schedule takes ten steps down and jumps back, the linear one takes five down and five up: at step 5 they are at 0.5 and 0, at step 9 at 0.02 and 0.8
# So: values are simulated (simulate_values) before a schedule is used
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.50 0.02 1.00 0.00 0.80 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-ignite==0.5.5 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from ignite.handlers import CosineAnnealingScheduler, LinearCyclicalScheduler
for schedule in CosineAnnealingScheduler, LinearCyclicalScheduler:
    values = schedule.simulate_values(num_events=11, param_name="lr", start_value=1.0, end_value=0.0, cycle_size=10)
    print(*(f"{values[k][1]:.2f}" for k in (5, 9, 10)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
