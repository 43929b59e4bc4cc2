#!/usr/bin/env bash
# mlflow-skinny 3.17.2
# One would guess: MlflowClient.search_runs gives all runs of an experiment
# What happens: it gives the first 1,000, without a word: of 1,005 runs five are missing, unless max_results or the page token is used
# So: runs are counted, or read page by page
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1000 1005"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mlflow-skinny==3.17.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os, warnings
warnings.simplefilter("ignore")
os.environ.update(MLFLOW_ALLOW_FILE_STORE="true", MLFLOW_DISABLE_TELEMETRY="true")
from mlflow.tracking import MlflowClient
client = MlflowClient("file:" + os.path.abspath("runs"))
for _ in range(1005):
    client.create_run("0")
print(len(client.search_runs(["0"])), len(client.search_runs(["0"], max_results=2000)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
