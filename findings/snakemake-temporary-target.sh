#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: a temp() output that is asked for is kept, since somebody wants it.
# What happens: it is kept if it is asked for by its path, and deleted at the end of the call if it is asked for by
#   its rule's name.
# So: the same call succeeds and leaves nothing behind; --notemp keeps it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="made.txt success kept make success gone"
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
for target in ("made.txt", "make"):
    Path("made.txt").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-m", "snakemake", "-c1", target], capture_output=True)
    print(target, "success" if done.returncode == 0 else "failure", "kept" if Path("made.txt").exists() else "gone", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
