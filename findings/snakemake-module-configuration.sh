#!/usr/bin/env bash
# Snakemake 9.27.1
# One would guess: a module without a `config:` of its own sees the configuration of the workflow that uses it.
# What happens: it sees an empty one.
# So: the module's defaults apply, and a setting of the outer workflow does nothing.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="inner sees []"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess
import sys
from pathlib import Path

Path("inner.smk").write_text('print("inner sees", sorted(config))\nrule make:\n    output: "made.txt"\n    shell: "touch {output}"\n')
Path("Snakefile").write_text(
    'config["alpha"] = 1\nmodule inner:\n    snakefile: "inner.smk"\nuse rule * from inner as inner_*\n'
)
done = subprocess.run([sys.executable, "-m", "snakemake", "-n", "-q", "--", "inner_make"], capture_output=True, text=True)
print(next(line for line in (done.stdout + done.stderr).splitlines() if line.startswith("inner sees")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
