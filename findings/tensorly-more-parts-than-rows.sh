#!/usr/bin/env bash
# tensorly 0.10.0, NumPy 2.4.6
# One would guess: parafac starts from singular vectors by default, so that two calls agree.
# What happens: where the rank is above a side of the tensor the other columns are drawn without a seed: two calls differ.
# So: random_state=0.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="rank 3: True, rank 8: False, rank 8 with random_state: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorly==0.10.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import tensorly
from tensorly.decomposition import parafac

data = np.random.default_rng(0).normal(size=(5, 6, 7))


def alike(rank, **settings):
    first, second = (tensorly.cp_to_tensor(parafac(data, rank, **settings)) for _ in range(2))
    return bool(np.allclose(first, second))


print(f"rank 3: {alike(3)}, rank 8: {alike(8)}, rank 8 with random_state: {alike(8, random_state=0)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
