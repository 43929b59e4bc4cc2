#!/usr/bin/env bash
# torch 2.13.0, onnx 1.23.2
# One would guess: an exported network's weights have their parameters' names and shapes.
# What happens: those of a linear layer do for a batch of vectors; for a batch of sequences they are transposed and called val_0, val_2.
# So: read weights from the checkpoint, or by the nodes that use them.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="vectors: 0.weight 4x3, 2.weight 2x4; sequences: val_0 3x4, val_2 4x2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
import tempfile

logging.disable(logging.CRITICAL)
import onnx
import torch

network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
seen = []
for name, shape in (("vectors", (5, 3)), ("sequences", (5, 6, 3))):
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        torch.onnx.export(network, (torch.randn(shape),), file.name, dynamo=True, verbose=False)
        matrices = [f"{w.name} {'x'.join(map(str, w.dims))}" for w in onnx.load(file.name).graph.initializer if len(w.dims) == 2]
    seen.append(f"{name}: {', '.join(matrices)}")
print("; ".join(seen))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
