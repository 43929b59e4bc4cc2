#!/usr/bin/env bash
# gcastle 1.0.4, torch 2.13.0
# One would guess: which of two variables NOTEARS calls the cause does not depend on the unit of one of them
# What happens: with the cause in units ten times as small the arrow turns around; in units ten times as large, or with an effect of 0.25, there is none, since weights below 0.3 are dropped
# So: directions are not taken from a method that compares variances, unless units mean something
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="right turned none none"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gcastle==1.0.4 torch==2.13.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
logging.disable(50)
import numpy as np
from castle.algorithms import Notears
draw = np.random.default_rng(0)
cause = draw.normal(size=5000)
noise = draw.normal(size=5000)
for effect, unit in (0.8, 1), (0.8, 10), (0.8, 0.1), (0.25, 1):
    learned = Notears()
    learned.learn(np.column_stack([unit * cause, effect * cause + noise]))
    arrow = learned.causal_matrix
    print("right" if arrow[0, 1] else "turned" if arrow[1, 0] else "none", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
