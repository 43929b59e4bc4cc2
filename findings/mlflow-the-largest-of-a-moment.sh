#!/usr/bin/env bash
# mlflow-skinny 3.17.2, NumPy 2.4.6
# One would guess: a run's value of a metric is the one that was logged last
# What happens: it is that of the highest step, then of the latest time, then the largest: after 0.1 at step 10 and 0.5 at step 5 it is 0.1, and of three losses without a step in one millisecond the worst; the history has all, in the order of writing
# So: values come from get_metric_history, and steps are given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.1 0.9 [0.3, 0.9, 0.2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mlflow-skinny==3.17.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
from mlflow.tracking import MlflowClient
place = "file:" + os.path.abspath("runs")
client = MlflowClient(tracking_uri=place, registry_uri=place)
run = client.create_run(client.create_experiment("x")).info.run_id
for step, value in (10, 0.1), (5, 0.5):
    client.log_metric(run, "stepped", value, step=step)
for value in 0.3, 0.9, 0.2:
    client.log_metric(run, "at_once", value, timestamp=1)
metrics = client.get_run(run).data.metrics
print(metrics["stepped"], metrics["at_once"], [m.value for m in client.get_metric_history(run, "at_once")], end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
