#!/usr/bin/env bash
# pynrrd 1.1.3, NumPy 2.4.6
# One would guess: a number that is put into the header of a NRRD file comes back as a number
# What happens: fields that the format does not define come back as text: step 5 is '5', and the text False is true; custom_field_map names their types
# So: fields of one's own are converted as they are read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['5', 'False', True]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pynrrd==1.1.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nrrd, numpy as np
nrrd.write("a.nrrd", np.ones((2, 2)), {"step": 5, "trained": False})
header = nrrd.read_header("a.nrrd")
print([header["step"], header["trained"], bool(header["trained"])])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
