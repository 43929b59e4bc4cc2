#!/usr/bin/env bash
# connected-components-3d 4.1.1, SciPy 1.17.1
# One would guess: two voxels that meet in a corner are two objects, as in SciPy
# What happens: they are one: connectivity is 26 by default, where scipy.ndimage.label takes faces alone
# So: the connectivity is stated wherever objects are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 2 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check connected-components-3d==4.1.1 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import cc3d, numpy as np
from scipy import ndimage
volume = np.zeros((4, 4, 4), np.uint8)
volume[0, 0, 0] = volume[1, 1, 1] = 1
print(cc3d.connected_components(volume).max(), cc3d.connected_components(volume, connectivity=6).max(), ndimage.label(volume)[1])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
