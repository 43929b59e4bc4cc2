#!/usr/bin/env bash
# nengo 4.1.0
# One would guess: a connection between two nodes that pass values on passes them on unchanged.
# What happens: it filters them with a time constant of 5 ms: of a step of 1, 0.18 arrives in the next millisecond and 0.63 after five.
# So: synapse=None; delays and couplings that are estimated from recorded values hold the filter's.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after 1, 5 and 15 ms: 0.18, 0.63, 0.95"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nengo==4.1.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nengo

with nengo.Network(seed=0) as network:
    source, target = nengo.Node(lambda t: float(t > 0.0105)), nengo.Node(size_in=1)
    nengo.Connection(source, target)
    probe = nengo.Probe(target)
with nengo.Simulator(network, progress_bar=False) as simulator:
    simulator.run(0.04)
start = next(i for i, value in enumerate(simulator.data[probe][:, 0]) if value > 0)
print("after 1, 5 and 15 ms: " + ", ".join(f"{simulator.data[probe][start + ms - 1, 0]:.2f}" for ms in (1, 5, 15)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
