#!/usr/bin/env bash
# tifffile 2026.3.3, pillow 13.0.0
# One would guess: a film of three frames is a file of three pages.
# What happens: an array of three or four frames is written as one page of three or four colours; one of five is five pages.
# So: photometric='minisblack'.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="frames that Pillow counts in films of 2, 3, 4 and 5: 2, 1, 1 and 5; with photometric='minisblack' 3 of 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging

import numpy as np
import tifffile
from PIL import Image

logging.disable(logging.CRITICAL)


def frames(n, **how):
    tifffile.imwrite("film.tif", np.zeros((n, 64, 64), dtype="uint8"), **how)
    with Image.open("film.tif") as image:
        return image.n_frames


two, three, four, five = (frames(n) for n in (2, 3, 4, 5))
print(
    f"frames that Pillow counts in films of 2, 3, 4 and 5: {two}, {three}, {four} and {five}; "
    f"with photometric='minisblack' {frames(3, photometric='minisblack')} of 3"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
