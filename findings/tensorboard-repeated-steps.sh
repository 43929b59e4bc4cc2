#!/usr/bin/env bash
# tensorboard 2.21.0
# One would guess: where a resumed run logs steps again, the reader keeps the later values.
# What happens: both are kept, in the order of writing, so that a step stands there twice.
# So: a curve doubles back, and a value looked up by its step is the one that was thrown away.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[1.0, 2.0] 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 setuptools
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

for first, value in ((0, 1), (5, 2)):
    writer = EventFileWriter("run")
    for step in range(first, first + 10):
        summary = Summary(value=[Summary.Value(tag="x", simple_value=value)])
        writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))
    writer.close()
    time.sleep(1.1)
found = EventAccumulator("run").Reload().Scalars("x")
print([event.value for event in found if event.step == 7], len(found))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
