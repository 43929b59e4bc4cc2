#!/usr/bin/env bash
# torch 2.13.0
# One would guess: DistributedSampler shows each sample once.
# What happens: it repeats the first samples until all processes have as many: of 10 samples and 3 processes two are counted twice.
# So: weight evaluation by sample, not by what processes saw.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="12 shown of 10, twice: 0 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from torch.utils.data import DistributedSampler

seen = [i for rank in range(3) for i in DistributedSampler(range(10), 3, rank, shuffle=False)]
print(f"{len(seen)} shown of 10, twice:", *sorted({i for i in seen if seen.count(i) > 1}))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
