#!/usr/bin/env bash
# NEURON 9.0.2
# One would guess: h.dt = 0.1 and h.run() integrate in steps of 0.1 ms.
# What happens: run() puts dt back to 1 / steps_per_ms, 0.025 ms, with two words on standard output.
# So: set h.steps_per_ms = 10 as well.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.025 after the run; 0.1 with steps_per_ms = 10; a model without a temperature runs at 6.3 degrees"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neuron==9.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import os

from neuron import h

h.load_file("stdrun.hoc")
section = h.Section()
h.tstop = 1


def step(**also):
    h.dt = 0.1
    for name, value in also.items():
        setattr(h, name, value)
    h.run()
    return h.dt


quiet, out = os.open(os.devnull, os.O_WRONLY), os.dup(1)
os.dup2(quiet, 1)
alone, both = step(), step(steps_per_ms=10)
os.dup2(out, 1)
print(f"{alone:g} after the run; {both:g} with steps_per_ms = 10; a model without a temperature runs at {h.celsius:g} degrees")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
