#!/usr/bin/env bash
# torch 2.13.0
# One would guess: whether weights of eight bits are finite can be asked as of any others
# What happens: torch.isfinite raises NotImplementedError for float8_e4m3fn, and works for float8_e5m2; isnan works for both
# So: weights are widened before they are checked
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[False, True] none [False, True] [True, False]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
for precision in torch.float8_e4m3fn, torch.float8_e5m2:
    weights = torch.tensor([1.0, float("nan")]).to(precision)
    for ask in torch.isnan, torch.isfinite:
        try:
            print(ask(weights).tolist(), end=" ")
        except NotImplementedError:
            print("none", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
