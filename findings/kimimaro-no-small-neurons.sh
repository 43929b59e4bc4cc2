#!/usr/bin/env bash
# kimimaro 5.8.5, NumPy 2.4.6
# One would guess: each label of a segmentation has a skeleton
# What happens: labels of less than 1,000 voxels have none, without a word: of two boxes, of 750 and 3,000 voxels, the second alone
# So: dust_threshold=0 is given, and the labels that came back are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[2] [1, 2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kimimaro==5.8.5 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import kimimaro, numpy as np
labels = np.zeros((40, 40, 40), np.uint32)
labels[5:10, 5:10, 5:35] = 1
labels[20:30, 20:30, 5:35] = 2
print(sorted(kimimaro.skeletonize(labels, progress=False)), sorted(kimimaro.skeletonize(labels, dust_threshold=0, progress=False)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
