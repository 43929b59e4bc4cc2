#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: what lies in a directory() output is there when its rule runs again.
# What happens: the folder is emptied before the job starts; so is one that others wrote into.
# So: name files as outputs; let nothing else be kept in a folder that is one.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="notes.txt is gone"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pathlib
import subprocess
import sys

pathlib.Path("Snakefile").write_text('rule all:\n    output: directory("results")\n    shell: "mkdir -p results; touch results/new"\n')
run = [str(pathlib.Path(sys.executable).with_name("snakemake")), "--cores", "1", "--forceall"]
subprocess.run(run, capture_output=True, check=True)
pathlib.Path("results/notes.txt").write_text("mine")
subprocess.run(run, capture_output=True, check=True)
print("notes.txt is", "there" if pathlib.Path("results/notes.txt").exists() else "gone")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
