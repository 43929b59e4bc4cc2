#!/usr/bin/env bash
# navis 1.12.0
# One would guess: a neuron that is read from an SWC file and written again keeps its labels: soma, axon, dendrite
# What happens: labels are made anew from the shape: a dendrite (3) is undefined (0), a fork (5) or an end (6); and points are numbered anew
# So: which branch is an axon is kept in a table beside the file, or labels='label' is asked for
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1, 2 0, 3 6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check navis==1.12.0 numpy==2.4.6 pandas==2.3.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import navis
navis.set_loggers("ERROR")
open("in.swc", "w").write("7 1 0 0 0 5 -1\n9 3 0 0 5 1 7\n30 3 0 0 9 1 9\n")
navis.write_swc(navis.read_swc("in.swc"), "out.swc")
print(*(" ".join(line.split()[:2]) for line in open("out.swc") if not line.startswith("#")), sep=", ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
