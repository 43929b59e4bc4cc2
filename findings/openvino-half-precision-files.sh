#!/usr/bin/env bash
# OpenVINO 2026.4.1, torch 2.13.0
# One would guess: a float32 model is saved in float32.
# What happens: save_model writes weights in half precision unless told otherwise: outputs change in the fourth digit.
# So: compress_to_fp16=False.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="outputs of a linear layer move by more than 1e-5; with compress_to_fp16=False by less than 1e-6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import os

import openvino
import torch

torch.manual_seed(0)
layer, x = torch.nn.Linear(64, 32).eval(), torch.randn(16, 64)
converted = openvino.convert_model(layer, example_input=x)
truth = layer(x).detach().numpy()


def moved(**how):
    openvino.save_model(converted, "model.xml", **how)
    run = openvino.compile_model("model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return abs(run(x.numpy())[0] - truth).max()


half, whole = moved(), moved(compress_to_fp16=False)
print(
    f"outputs of a linear layer move by {'more than 1e-5' if half > 1e-5 else half}; "
    f"with compress_to_fp16=False by {'less than 1e-6' if whole < 1e-6 else whole}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
