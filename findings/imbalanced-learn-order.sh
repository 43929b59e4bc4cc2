#!/usr/bin/env bash
# imbalanced-learn 0.14.2, scikit-learn 1.9.1
# One would guess: samples that are left when classes are balanced stand in the order that they had
# What happens: RandomUnderSampler returns them class by class, and within a class as they were drawn; the indices say so
# So: whatever belongs to samples in order of time or of training is taken along by sample_indices_
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="8 14 6 0 5 10 - 0 0 0 1 1 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imbalanced-learn==0.14.2 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from imblearn.under_sampling import RandomUnderSampler
labels = np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
left, classes = RandomUnderSampler(random_state=0).fit_resample(np.arange(16)[:, None], labels)
print(*left.ravel(), "-", *classes)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
