#!/usr/bin/env bash
# tinybrain 1.7.0, NumPy 2.4.6
# One would guess: an image of nothing but 100 is one of nothing but 100 at half its size, whatever its sides
# What happens: with an even number of rows and columns it is; with an odd one, averages by 2 x 2 x 1 are wrong near the edge: 0 where 100 was
# So: volumes are padded to even sides, and the mean before is compared with that after
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tinybrain==1.7.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, tinybrain
for side in 4, 5, 6, 7:
    image = np.full((side, side, 1), 100, np.uint8)
    print(bool((tinybrain.downsample_with_averaging(image, (2, 2, 1))[0] == 100).all()), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
