#!/usr/bin/env bash
# tifffile 2026.3.3
# One would guess: imread of a film that was written frame by frame gives the film.
# What happens: each write() begins a series of its own, and imread returns the first: one frame of five, without a word.
# So: write(frame, contiguous=True), or imread(path, key=range(n)).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="five frames written one by one: (32, 32); contiguous (5, 32, 32)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import tifffile


def read(**how):
    with tifffile.TiffWriter("film.tif") as writer:
        for _ in range(5):
            writer.write(np.zeros((32, 32), dtype="float32"), **how)
    return tifffile.imread("film.tif").shape


print(f"five frames written one by one: {read()}; contiguous {read(contiguous=True)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
