#!/usr/bin/env bash
# Pillow 13.0.0
# One would guess: an animation of six images has six frames.
# What happens: equal images in a row become one frame with a longer duration, as GIF, APNG and WebP.
# So: frame k of such a file is not epoch k: where nothing changes for some epochs, frames are missing.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="6 images, frames: 3, 3, 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from PIL import Image

images = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 0, 50, 50, 50, 100)]
counts = []
for name in ("a.gif", "a.png", "a.webp"):
    images[0].save(name, save_all=True, append_images=images[1:], duration=100)
    counts.append(str(Image.open(name).n_frames))
print(f"6 images, frames: {', '.join(counts)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
