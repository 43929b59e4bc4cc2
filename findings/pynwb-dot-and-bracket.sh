#!/usr/bin/env bash
# pynwb 4.2.0, hdmf 6.2.0
# One would guess: units.spike_times[0] and units['spike_times'][0] are the spikes of the first unit
# What happens: with the dot it is the first spike of all, with brackets the spikes of the first unit
# So: columns of lists are read with brackets
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 [1.0, 2.0, 3.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynwb==4.2.0 hdmf==6.2.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from datetime import datetime, timezone
from pynwb import NWBFile
file = NWBFile("a", "b", datetime(2020, 1, 1, tzinfo=timezone.utc))
for times in [1.0, 2.0, 3.0], [5.0, 6.0]:
    file.add_unit(spike_times=times)
print(file.units.spike_times[0], list(file.units["spike_times"][0]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
