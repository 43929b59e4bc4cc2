#!/usr/bin/env bash
# brian2 2.9.0, NumPy 2.2.6
# One would guess: connect() called a second time, as in a cell of a notebook that is run again, leaves the synapses as they are
# What happens: each pair gets another synapse: 18 of 9, each with the full weight, and S.w[0, 1] = 5 sets both
# So: the number of synapses is compared with that of the pairs
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="9 18 10.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brian2==2.9.0 numpy==2.2.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import brian2 as b
b.prefs.codegen.target = "numpy"
group = b.NeuronGroup(3, "v : 1")
synapses = b.Synapses(group, group, "w : 1")
for _ in range(2):
    synapses.connect()
    print(len(synapses), end=" ")
synapses.w[0, 1] = 5
print(sum(synapses.w[:]), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
