#!/usr/bin/env bash
# nengo 4.1.0, NumPy 2.4.6
# One would guess: the times of a simulation begin at 0
# What happens: they begin at one step, 0.001, in trange() and in what a probe records: value k is that at (k + 1) dt
# So: times come from trange(), never from the number of the row
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.001, 0.002, 0.003] [0.001, 0.002, 0.003]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nengo==4.1.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nengo
with nengo.Network() as model:
    probe = nengo.Probe(nengo.Node(lambda t: t))
with nengo.Simulator(model, progress_bar=False) as simulator:
    simulator.run(0.003)
print(simulator.trange().round(6).tolist(), simulator.data[probe].ravel().round(6).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
