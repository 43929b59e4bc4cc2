#!/usr/bin/env bash
# tensorboard 2.21.0
# One would guess: EventAccumulator gives back what was logged.
# What happens: of more than 10,000 values of one tag a random sample of 10,000 is kept; size_guidance={'scalars': 0}
#   keeps all.
# So: a jump of one step disappears with the steps that were not drawn.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="10000 12000"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 setuptools
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter("run")
for step in range(12_000):
    writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[Summary.Value(tag="x", simple_value=1)])))
writer.close()
default = EventAccumulator("run").Reload()
whole = EventAccumulator("run", size_guidance={"scalars": 0}).Reload()
print(len(default.Scalars("x")), len(whole.Scalars("x")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
