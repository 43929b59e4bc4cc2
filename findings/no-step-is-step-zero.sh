#!/usr/bin/env bash
# tensorboard 2.21.0, torch 2.13.0, mlflow-skinny 3.17.2
# One would guess: values that are logged without a step are numbered.
# What happens: all of them stand at step 0, in both.
# So: give the step: a curve cannot be made of them afterwards, but by their order.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="tensorboard 0 0 0, mlflow 0 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 torch==2.13.0 mlflow-skinny==3.17.2 sqlalchemy alembic numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging

logging.disable(logging.CRITICAL)
import mlflow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

writer = SummaryWriter("board")
mlflow.set_tracking_uri("sqlite:///runs.db")
with mlflow.start_run() as run:
    for value in (3.0, 2.0, 1.0):
        writer.add_scalar("loss", value)
        mlflow.log_metric("loss", value)
writer.close()
board = EventAccumulator("board")
board.Reload()
print("tensorboard", *[event.step for event in board.Scalars("loss")], end=", mlflow ")
print(*[metric.step for metric in mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
