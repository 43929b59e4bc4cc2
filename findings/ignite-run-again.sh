#!/usr/bin/env bash
# pytorch-ignite 0.5.5, torch 2.13.0
# One would guess: run(max_epochs=3) after a finished run of three epochs does nothing.
# What happens: it trains three epochs more and counts them from one again; run(max_epochs=5) goes on at the fourth.
# So: look at the steps of a record that was written across several calls: they may repeat.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3, then 3 more, then 2 more"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-ignite==0.5.5 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from ignite.engine import Engine

batches = []
engine = Engine(lambda engine, batch: batches.append(batch))
counts = []
for epochs in (3, 3, 5):
    before = len(batches)
    engine.run([0], max_epochs=epochs)
    counts.append(len(batches) - before)
print(f"{counts[0]}, then {counts[1]} more, then {counts[2]} more")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
