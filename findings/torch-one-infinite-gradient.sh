#!/usr/bin/env bash
# torch 2.13.0
# One would guess: clip_grad_norm_ makes a gradient with one infinite value small, or leaves it.
# What happens: the infinite value becomes NaN and all others 0, without an error: the next step makes a weight NaN.
# So: error_if_nonfinite=True, or skip the step when the returned norm is not finite.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="norm inf; gradients [nan, 0.0], [0.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

first, second = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
first.grad, second.grad = torch.tensor([float("inf"), 1.0]), torch.ones(2)
norm = torch.nn.utils.clip_grad_norm_([first, second], 1.0)
print(f"norm {norm.item()}; gradients {first.grad.tolist()}, {second.grad.tolist()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
