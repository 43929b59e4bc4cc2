#!/usr/bin/env bash
# roiextractors 0.10.0, NumPy 2.4.6
# One would guess: a film of 5 frames of 3 x 4 pixels comes back from NumpyImagingExtractor as it was
# What happens: it says 5 frames of 3 x 4, and get_series() gives one frame of 5 x 3: the first column of pixels over time; with a fourth axis for the channel it is right
# So: films are given as (frames, rows, columns, 1), and a frame is compared
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5 (3, 4) (1, 5, 3) True; 5 (3, 4) (5, 3, 4) False;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check roiextractors==0.10.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import numpy as np
from roiextractors import NumpyImagingExtractor
film = np.arange(60.0).reshape(5, 3, 4)
for given in film, film[..., None]:
    extractor = NumpyImagingExtractor(given, sampling_frequency=10.0)
    seen = extractor.get_series()
    print(extractor.get_num_samples(), extractor.get_image_shape(), seen.shape, np.array_equal(seen[0], film[:, :, 0]), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
