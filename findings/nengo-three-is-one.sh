#!/usr/bin/env bash
# nengo 4.1.0, NumPy 2.4.6
# One would guess: an ensemble that is given 3 holds 3
# What happens: it holds about 1.3, without a word: neurons are tuned to values within a radius of 1, and saturate beyond; radius=5 gives 3
# So: the largest value that is to be held is given as radius
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nengo==4.1.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nengo
for radius in 1, 5:
    with nengo.Network(seed=0) as net:
        source, group = nengo.Node(3.0), nengo.Ensemble(200, 1, radius=radius)
        nengo.Connection(source, group)
        probe = nengo.Probe(group, synapse=0.05)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.5)
    print(f"{sim.data[probe][-100:].mean():.0f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
