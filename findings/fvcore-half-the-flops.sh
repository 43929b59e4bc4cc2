#!/usr/bin/env bash
# fvcore 0.1.5.post20221221, torch 2.13.0
# One would guess: two counters of FLOPs agree on one linear layer.
# What happens: fvcore counts a multiplication and an addition as one, PyTorch's FlopCounterMode as two.
# So: say which counter a number of FLOPs comes from before runs are compared by it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="fvcore 200, PyTorch 400"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fvcore==0.1.5.post20221221 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode

layer, x = torch.nn.Linear(10, 20), torch.ones(1, 10)
with FlopCounterMode(display=False) as counter:
    layer(x)
print(f"fvcore {int(FlopCountAnalysis(layer, x).total())}, PyTorch {counter.get_total_flops()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
