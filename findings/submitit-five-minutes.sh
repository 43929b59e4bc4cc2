#!/usr/bin/env bash
# submitit 1.5.4
# One would guess: a job without a stated time gets the default of the cluster.
# What happens: it asks for five minutes.
# So: set timeout_min.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="#SBATCH --time=5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check submitit==1.5.4
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from submitit.slurm import slurm

script = slurm._make_sbatch_string(command="true", folder="logs")
print(*[line for line in script.splitlines() if "--time" in line])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
