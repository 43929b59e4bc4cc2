#!/usr/bin/env bash
# tensorboard 2.21.0
# One would guess: a file of events with a wrong checksum in its middle raises an error.
# What happens: the reader stops there and returns what came before, without an error.
# So: half of a training looks like a short training.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="no error, half of the values"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 setuptools
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter("run")
for step in range(100):
    writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[Summary.Value(tag="x", simple_value=1)])))
writer.close()
file = next(Path("run").iterdir())
content = bytearray(file.read_bytes())
content[len(content) // 2] ^= 255
file.write_bytes(content)
read = len(EventAccumulator("run").Reload().Scalars("x"))
print("no error,", "half of the values" if 40 < read < 60 else read)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
