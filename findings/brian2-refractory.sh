#!/usr/bin/env bash
# brian2 2.9.0
# One would guess: the potential is held at its reset value while a neuron is refractory.
# What happens: it goes on changing; only spikes are withheld. Equations marked (unless refractory) are held.
# So: write (unless refractory) where the potential is meant to stay.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="as written 0.63, unless refractory 0.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brian2==2.9.0 numpy==2.3.5 setuptools==80.10.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from brian2 import NeuronGroup, StateMonitor, SpikeMonitor, Network, ms, prefs

prefs.codegen.target = "numpy"


def after_a_spike(mark):
    group = NeuronGroup(1, f"dv/dt = (2 - v) / (10*ms) : 1 {mark}", threshold="v > 1", reset="v = 0", refractory=5 * ms, method="exact")
    values, spikes = StateMonitor(group, "v", record=True), SpikeMonitor(group)
    Network(group, values, spikes).run(15 * ms)
    return values.v[0][int(round(spikes.t[0] / ms * 10)) + 39]


print(f"as written {after_a_spike(''):.2f}, unless refractory {after_a_spike('(unless refractory)'):.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
