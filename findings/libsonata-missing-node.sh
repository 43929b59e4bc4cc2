#!/usr/bin/env bash
# libsonata 0.2.2, h5py 3.16.0
# One would guess: asking a report for a neuron that it does not hold raises
# What happens: the others come, without a word: three were asked for, and there are two columns
# So: columns of activity are named by the ids that came back
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="(4, 2) 9 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check libsonata==0.2.2 h5py==3.16.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import h5py, libsonata, numpy as np
with h5py.File("report.h5", "w") as file:
    data = file.create_dataset("report/cells/data", data=np.arange(8, dtype="f4").reshape(4, 2))
    data.attrs["units"] = "mV"
    for name, values in ("node_ids", np.array([5, 9], "u8")), ("index_pointers", np.array([0, 1, 2], "u8")), ("element_ids", np.zeros(2, "u4")), ("time", np.array([0, 0.4, 0.1])):
        file.create_dataset("report/cells/mapping/" + name, data=values)
    file["report/cells/mapping/time"].attrs["units"] = "ms"
frame = libsonata.ElementReportReader("report.h5")["cells"].get(node_ids=[9, 100, 5])
print(frame.data.shape, *frame.ids[:, 0])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
