#!/usr/bin/env bash
# torchao 0.18.0, torch 2.13.0
# One would guess: the dtype of a weight quantised to 8 bits is int8, and its size a byte for each.
# What happens: dtype says float32, and numel times element_size four bytes for each; the integers are in weight.qdata.
# So: ask the type of the tensor, and measure memory by the file or its inner tensors.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="torch.float32, 4 bytes a weight; inside torch.int8"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchao==0.18.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
import torch
from torchao.quantization import Int8WeightOnlyConfig, quantize_

model = torch.nn.Sequential(torch.nn.Linear(128, 128)).eval()
quantize_(model, Int8WeightOnlyConfig())
weight = model[0].weight
print(f"{weight.dtype}, {weight.element_size()} bytes a weight; inside {weight.qdata.dtype}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
