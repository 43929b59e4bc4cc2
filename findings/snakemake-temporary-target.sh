#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: a temp() file that is asked for on the command line is kept, since somebody wants it.
# What happens: it is made, and deleted at the end of the same call, which succeeds.
# So: --notemp keeps it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="success gone"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess
import sys
from pathlib import Path

Path("Snakefile").write_text('rule make:\n    output: temp("made.txt")\n    shell: "echo made > {output}"\n')
done = subprocess.run([sys.executable, "-m", "snakemake", "-c1", "made.txt"], capture_output=True)
print("success" if done.returncode == 0 else "failure", "kept" if Path("made.txt").exists() else "gone")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
