#!/usr/bin/env bash
# doit 0.37.0, luigi 3.8.1
# One would guess: a task that does not make the file it promises fails.
# What happens: both call it done; what comes after runs without the file.
# So: check the file in the task; in luigi check_complete_on_run=true.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="doit ends with 0, luigi with SUCCESS, and there is no file"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check doit==0.37.0 luigi==3.8.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pathlib
import subprocess
import sys

import luigi

pathlib.Path("dodo.py").write_text("def task_fit():\n    return {'actions': ['true'], 'targets': ['result.txt']}\n")
doit = subprocess.run([sys.executable, "-m", "doit"], capture_output=True).returncode


class Fit(luigi.Task):
    def output(self):
        return luigi.LocalTarget("result.txt")

    def run(self):
        pass


status = luigi.build([Fit()], local_scheduler=True, log_level="CRITICAL", detailed_summary=True).status.name
print(f"doit ends with {doit}, luigi with {status}, and there is {'a' if pathlib.Path('result.txt').exists() else 'no'} file")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
