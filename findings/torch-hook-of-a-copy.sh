#!/usr/bin/env bash
# torch 2.13.0
# One would guess: a deep copy of a watched model is not watched, or is by a recorder of its own.
# What happens: hooks are copied with the model, but their functions are not: what the copy computes lands in the first model's record.
# So: remove hooks before copy.deepcopy, or clear _forward_hooks of the copy.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="activations recorded of the first model after its copy ran once: 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import copy

import torch

recorded = []
model = torch.nn.Linear(2, 2)
model.register_forward_hook(lambda module, inputs, output: recorded.append(output))
average = copy.deepcopy(model)
average(torch.zeros(1, 2))
print(f"activations recorded of the first model after its copy ran once: {len(recorded)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
