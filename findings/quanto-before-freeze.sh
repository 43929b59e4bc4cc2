#!/usr/bin/env bash
# optimum-quanto 0.2.7, torch 2.13.0
# One would guess: until freeze() the model computes with its floats.
# What happens: quantize() makes the outputs those of quantised weights at once, while `weight` is still the float one: what reads weights and what runs the model see two models.
# So: freeze before measuring, and read weight.dequantize().
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after quantize: weights as before, outputs changed; after freeze: weights changed, outputs as after quantize"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optimum-quanto==0.2.7 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from optimum.quanto import freeze, qint4, quantize

torch.manual_seed(0)
model, x = torch.nn.Sequential(torch.nn.Linear(128, 128)), torch.randn(2, 128)


def weights():
    weight = model[0].weight
    return weight.dequantize() if hasattr(weight, "dequantize") and type(weight) is not torch.nn.Parameter else weight


def changed(one, two):
    return "changed" if (one - two).abs().max() > 1e-3 else "as before"


with torch.no_grad():
    first, outputs = weights().clone(), model(x)
    quantize(model, weights=qint4)
    one, between = changed(weights(), first), model(x)
    freeze(model)
    two, last = changed(weights(), first), model(x)
print(
    f"after quantize: weights {one}, outputs {changed(between, outputs)}; "
    f"after freeze: weights {two}, outputs {'as after quantize' if torch.allclose(between, last) else 'changed again'}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
