#!/usr/bin/env bash
# openturns 1.27.post1
# One would guess: two processes that set no seed draw different numbers
# What happens: they draw the same ones: each process starts from one seed of the library, so that replicates on a cluster are copies; RandomGenerator.SetSeed changes it
# So: each job sets a seed of its own
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openturns==1.27.post1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess, sys
draw = "import openturns; print(openturns.Normal().getRealization()[0])"
first, second = (subprocess.run([sys.executable, "-c", draw], capture_output=True, text=True, check=True).stdout for _ in range(2))
print(first == second, float(first) != 0)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
