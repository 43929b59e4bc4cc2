#!/usr/bin/env bash
# dvclive 3.49.1
# One would guess: a second `Live` in the same folder adds to what was logged, or asks.
# What happens: the metrics of the first are deleted when the second is made, without a word.
# So: resume=True keeps them; give each run a folder of its own.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after the first ['loss.tsv'], after the second ['accuracy.tsv']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dvclive==3.49.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os

from dvclive import Live

seen = []
for name in ("loss", "accuracy"):
    with Live("run", save_dvc_exp=False, dvcyaml=None) as live:
        live.log_metric(name, 1.0)
    seen.append(sorted(os.listdir("run/plots/metrics")))
print(f"after the first {seen[0]}, after the second {seen[1]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
