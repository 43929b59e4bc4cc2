#!/usr/bin/env bash
# prodigyopt 1.1.2, torch 2.13.0
# One would guess: the rate in optimizer.param_groups, which loggers write, says how large the steps are.
# What happens: it stays 1; the steps are scaled by an entry d beside it, which grows from 1e-6 a million-fold.
# So: log d times lr, or a change of the step size is nowhere in the record.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="rates [1.0]; d first 1e-06, later over one: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prodigyopt==1.1.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from prodigyopt import Prodigy

weight = torch.nn.Parameter(torch.full((3,), 5.0))
optimizer = Prodigy([weight], lr=1.0)
seen = []
for _ in range(20):
    optimizer.zero_grad()
    (weight**2).sum().backward()
    optimizer.step()
    group = optimizer.param_groups[0]
    seen.append((group["lr"], group["d"]))
print(f"rates {sorted({rate for rate, _ in seen})}; d first {seen[0][1]:.0e}, later over one: {seen[-1][1] > 1}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
