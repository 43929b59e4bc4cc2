#!/usr/bin/env bash
# zmesh 1.15.0, NumPy 2.4.6
# One would guess: a slab of 10 x 10 x 2 voxels has a surface of about 250, wherever it lies in the volume
# What happens: where it touches the edge of the volume its mesh is open: the surface is 81 and the faces enclose nothing, unless close=True
# So: close=True is given, or the volume is padded
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="81 253"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zmesh==1.15.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, zmesh
labels = np.zeros((10, 10, 10), np.uint32)
labels[0:2] = 1
for close in False, True:
    mesher = zmesh.Mesher((1, 1, 1))
    mesher.mesh(labels, close=close)
    mesh = mesher.get(1)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(float), 1, 0)
    print(f"{np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2:.0f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
