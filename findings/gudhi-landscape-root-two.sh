#!/usr/bin/env bash
# gudhi 3.13.0, scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: the landscape of one loop that is born at 0 and dies at 2 peaks at 1
# What happens: it peaks at 1.41: landscapes, and silhouettes as well, are multiplied by the root of 2
# So: values are divided by the root of 2 before they are compared with the formula, or with another library
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.41 1.41"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gudhi==3.13.0 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from gudhi.representations import Landscape, Silhouette
for shape in Landscape(num_landscapes=1, resolution=5, sample_range=[0, 2]), Silhouette(resolution=5, sample_range=[0, 2]):
    print(f"{shape.fit_transform([np.array([[0.0, 2.0]])]).max():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
