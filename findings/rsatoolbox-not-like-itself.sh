#!/usr/bin/env bash
# rsatoolbox 0.3.2, NumPy 2.4.6, SciPy 1.17.1, pandas 3.1.1
# One would guess: a dissimilarity matrix compared with itself has the highest value, 1
# What happens: tau-a is 0.67 and rho-a 0.75 where two of its entries are equal: models with ties, such as same or other class, cannot reach 1, and are to be held against a ceiling of their own; tau-b and spearman give 1
# So: the value that the model has with itself stands beside the result
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.67 0.75 1.00 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rsatoolbox==0.3.2 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import rsatoolbox
one = rsatoolbox.rdm.RDMs(np.array([[1.0, 1, 3]]))
for method in "tau-a", "rho-a", "tau-b", "spearman":
    print(f"{rsatoolbox.rdm.compare(one, one, method=method)[0, 0]:.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
