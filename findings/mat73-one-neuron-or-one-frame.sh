#!/usr/bin/env bash
# mat73 0.65
# One would guess: a MATLAB matrix keeps its shape: 1 x 3 is a row, 3 x 1 a column.
# What happens: both come back as (3,), and 1 x 1 as a scalar array; 2 x 3, and 1 x 4 x 1 x 5, keep theirs.
# So: reshape by what the file says elsewhere: one neuron over time and one frame of neurons cannot be told apart.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="row (3,), column (3,), one (), matrix (2, 3), four (1, 4, 1, 5)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mat73==0.65 h5py==3.16.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import h5py
import mat73
import numpy as np

arrays = {
    "row": np.zeros((1, 3)),
    "column": np.zeros((3, 1)),
    "one": np.zeros((1, 1)),
    "matrix": np.zeros((2, 3)),
    "four": np.zeros((1, 4, 1, 5)),
}
with h5py.File("a.mat", "w", userblock_size=512) as file:
    for name, array in arrays.items():
        file.create_dataset(name, data=array.T).attrs["MATLAB_class"] = np.bytes_("double")
with open("a.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
read = mat73.loadmat("a.mat")
print(", ".join(f"{name} {np.shape(read[name])}" for name in arrays))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
