#!/usr/bin/env bash
# schedulefree 1.4.1, torch 2.13.0
# One would guess: after step() the parameters are those that the method is about: to evaluate and to save.
# What happens: they are where the next gradient is taken; the averaged ones appear after optimizer.eval(). Saved between two steps, a checkpoint holds the others.
# So: optimizer.eval() before a measurement or a checkpoint, optimizer.train() after it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after step() 0.226, after eval() 0.264"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check schedulefree==1.4.1 torch==2.13.0 numpy==2.4.6 typing_extensions
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import schedulefree
import torch

weight = torch.nn.Parameter(torch.ones(1))
optimizer = schedulefree.SGDScheduleFree([weight], lr=0.1)
optimizer.train()
for _ in range(10):
    optimizer.zero_grad()
    (weight**2).sum().backward()
    optimizer.step()
stepped = weight.item()
optimizer.eval()
print(f"after step() {stepped:.3f}, after eval() {weight.item():.3f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
