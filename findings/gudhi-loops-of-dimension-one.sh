#!/usr/bin/env bash
# gudhi 3.13.0, ripser 0.6.15, NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1
# One would guess: twelve points on a circle have a loop where the dimension is set to 1, in gudhi and ripser
# What happens: in gudhi max_dimension=1 is that of the complex, whose edges alone close no triangle, and persistence() leaves the highest dimension out: no loop at all, without a word; ripser's maxdim=1 finds it, and max_dimension=2 does in gudhi
# So: in gudhi the dimension is one more than that of the holes
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0 1 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gudhi==3.13.0 ripser==0.6.15 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gudhi
import numpy as np
import ripser
t = np.arange(12) * np.pi / 6
points = np.c_[np.cos(t), np.sin(t)]
for size in 1, 2:
    tree = gudhi.RipsComplex(points=points).create_simplex_tree(max_dimension=size)
    tree.persistence()
    print(len(tree.persistence_intervals_in_dimension(1)), end=" ")
print(len(ripser.ripser(points, maxdim=1)["dgms"][1]), end="")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
