#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: --config a=null b=0123 c=0x10 d=[1,2.5] are read as YAML reads them.
# What happens: null and 0x10 stay text, 0123 becomes 123, and the numbers of a list are text.
# So: a check for None passes, and a list of learning rates cannot be multiplied.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="given 'null' 123 '0x10' ['1', '2.5']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess
import sys
from pathlib import Path

Path("Snakefile").write_text('print("given", *(repr(config[key]) for key in sorted(config)))\nrule all:\n    run: pass\n')
command = [sys.executable, "-m", "snakemake", "-n", "-q", "--config", "aa=null", "bb=0123", "cc=0x10", "dd=[1,2.5]"]
done = subprocess.run(command, capture_output=True, text=True)
print(next(line for line in (done.stdout + done.stderr).splitlines() if line.startswith("given")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
