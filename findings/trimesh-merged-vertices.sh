#!/usr/bin/env bash
# trimesh 5.2.0, NumPy 2.4.6
# One would guess: a mesh has the vertices that it was given, in their order, so that values of vertices still fit
# What happens: equal vertices are merged, and those without a face removed: 4 of 7 are left, and row 3 is what was row 5; process=False keeps them
# So: values of vertices are given to the mesh, or process=False
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4 [0.0, 0.0, 1.0] [0.0, 0.0, 0.0] 7"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check trimesh==5.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, trimesh
points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [5, 5, 5]], float)
faces = [[0, 1, 2], [3, 4, 5]]
mesh = trimesh.Trimesh(points, faces)
print(len(mesh.vertices), mesh.vertices[3].tolist(), points[3].tolist(), len(trimesh.Trimesh(points, faces, process=False).vertices))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
