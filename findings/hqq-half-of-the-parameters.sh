#!/usr/bin/env bash
# hqq 0.2.8.post1, torch 2.13.0
# One would guess: a quantised layer has as many parameters as before, its bias among them
# What happens: two weights of four bits are one number of W_q, and the bias is no parameter: 2,048 of 4,160 are counted
# So: parameters are counted before a network is quantised
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4160 2048 False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hqq==0.2.8.post1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import torch
from hqq.core.quantize import BaseQuantizeConfig, HQQLinear
torch.manual_seed(0)
layer = torch.nn.Linear(64, 64)
before = sum(p.numel() for p in layer.parameters())
config = BaseQuantizeConfig(nbits=4, group_size=64)
small = HQQLinear(layer, config, compute_dtype=torch.float32, device="cpu", del_orig=True)
print(before, sum(p.numel() for p in small.parameters()), "bias" in dict(small.named_parameters()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
