#!/usr/bin/env bash
# rsatoolbox 0.3.2, NumPy 2.4.6, SciPy 1.17.1, pandas 3.1.1
# One would guess: rows of a dissimilarity matrix stand in the order of the data
# What happens: with a descriptor they are sorted by it, as text: layers s10, s9, s2 come as s10, s2, s9, so that a model matrix in the order of the data is compared with other rows, without a word
# So: pattern_descriptors is read, or the model is made from the same descriptor
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="s10 s2 s9 [0.0, 4.33, 3.33] [0.0, 3.33, 4.33]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rsatoolbox==0.3.2 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import rsatoolbox
data = rsatoolbox.data.Dataset(np.diag([3.0, 1, 2]), obs_descriptors={"s": ["s10", "s9", "s2"]})
matrix = rsatoolbox.rdm.calc_rdm(data, descriptor="s")
print(*matrix.pattern_descriptors["s"], matrix.get_matrices()[0][0].round(2).tolist(), rsatoolbox.rdm.calc_rdm(data).get_matrices()[0][0].round(2).tolist(), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
