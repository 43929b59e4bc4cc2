#!/usr/bin/env bash
# brainglobe-space 1.0.3, NumPy 2.4.6
# One would guess: the point at voxel 0 of a flipped axis of ten goes to 9, where map_stack_to puts that voxel
# What happens: points are edges of voxels: 0 goes to 10, which is beyond the last voxel, and 9 to 1, where the image has it at 0
# So: half a voxel is added to indices before they are mapped, and taken off after
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[10.0, 1.0] [9]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brainglobe-space==1.0.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from brainglobe_space import AnatomicalSpace
here, there = AnatomicalSpace("asr", shape=(10, 2, 2)), AnatomicalSpace("psr", shape=(10, 2, 2))
image = np.zeros((10, 2, 2))
image[0] = 1
print(here.map_points_to(there, np.array([[0.0, 0, 0], [9, 0, 0]]))[:, 0].tolist(), np.flatnonzero(here.map_stack_to(there, image)[:, 0, 0]).tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
