#!/usr/bin/env bash
# pynwb 4.2.0
# One would guess: a TimeSeries whose timestamps go backwards is refused, or at least warned of.
# What happens: it is written and read without a word.
# So: what reads it by frame number mixes moments.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[3.0, 1.0, 2.0] no warning"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynwb==4.2.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
from datetime import datetime, timezone

from pynwb import NWBHDF5IO, NWBFile, TimeSeries

with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    file = NWBFile("session", "one", datetime(2026, 1, 1, tzinfo=timezone.utc))
    file.add_acquisition(TimeSeries(name="x", data=[1.0, 2.0, 3.0], unit="V", timestamps=[3.0, 1.0, 2.0]))
    with NWBHDF5IO("a.nwb", "w") as io:
        io.write(file)
    with NWBHDF5IO("a.nwb", "r") as io:
        times = io.read().acquisition["x"].timestamps[:].tolist()
print(times, "warned" if any("timestamp" in str(each.message).lower() for each in heard) else "no warning")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
