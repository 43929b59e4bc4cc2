#!/usr/bin/env bash
# neuron 9.0.2, NumPy 2.4.6
# One would guess: a new section is a thin cylinder at the temperature of a body or a room
# What happens: it is 100 um long and 500 um wide, in one piece, at 6.3 degrees, that of the squid's axon: rates of channels that follow the temperature are slow by a factor of 27 at a Q10 of 3
# So: length, width, pieces and temperature are set for every section
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="100.0 500.0 1 6.3 27"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neuron==9.0.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from neuron import h
section = h.Section(name="a")
print(section.L, section.diam, section.nseg, h.celsius, round(3 ** ((36.3 - h.celsius) / 10)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
