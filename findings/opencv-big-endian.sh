#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93, NumPy 2.4.6
# One would guess: a frame of nothing but 1 is one of nothing but 1 after a blur, whatever the order of its bytes, or it is refused
# What happens: OpenCV takes the bytes as they stand: a frame of 16 bits that was read as big-endian, as raw recordings and NIfTI files may be, is one of 256, without a word
# So: frames are brought to the machine's order first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1 1; 1 256;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import cv2, numpy as np
for order in "<", ">":
    frame = np.ones((8, 8), order + "u2")
    print(int(frame.mean()), int(cv2.blur(frame, (3, 3)).mean()), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
