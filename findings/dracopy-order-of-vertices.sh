#!/usr/bin/env bash
# DracoPy 2.2.0, NumPy 2.4.6
# One would guess: the vertices of a mesh come back in the order in which they were encoded
# What happens: they come back in another order, and faces are renumbered with them: values of vertices that are kept elsewhere fall on other places; preserve_order=True keeps it
# So: values of vertices are encoded with the mesh, or the order is kept
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="16 False; 16 True;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check DracoPy==2.2.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import DracoPy, numpy as np
grid = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), -1).reshape(-1, 2)
points = np.column_stack([grid, np.zeros(16)]).astype(float)
corners = [4 * i + j for i in range(3) for j in range(3)]
faces = np.array([face for k in corners for face in ([k, k + 1, k + 4], [k + 1, k + 5, k + 4])])
for preserve in False, True:
    back = DracoPy.decode(DracoPy.encode(points, faces, preserve_order=preserve)).points
    print(len(back), np.allclose(back, points), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
