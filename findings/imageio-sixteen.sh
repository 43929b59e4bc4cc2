#!/usr/bin/env bash
# imageio 2.38.1, imageio-ffmpeg 0.8.1
# One would guess: frames of 90 by 100 pixels make a film of 90 by 100.
# What happens: they are resized to the next multiples of sixteen, 96 by 112, with a line on stderr: text and lines blur.
# So: draw at multiples of sixteen, or set macro_block_size.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="96 x 112"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imageio==2.38.1 imageio-ffmpeg==0.8.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import imageio
import imageio.v3
import numpy as np

imageio.mimsave("film.mp4", [np.full((90, 100, 3), 20 * i, np.uint8) for i in range(10)], fps=10)
print(" x ".join(map(str, imageio.v3.imread("film.mp4").shape[1:3])))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
