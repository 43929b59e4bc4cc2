#!/usr/bin/env bash
# torch 2.13.0
# One would guess: at one seed a longer draw begins as a shorter one.
# What happens: on the CPU randn of 16 numbers or more draws in another way than of 15, and a number more changes numbers in the middle.
# So: draw always the same size and slice it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="first of 15 and of 16 differ; second of 16 and of 17 differ; rand: the same"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch


def first(draw, size, place):
    torch.manual_seed(0)
    return draw(size)[place].item()


def compared(draw, a, b, place):
    return "the same" if first(draw, a, place) == first(draw, b, place) else "differ"


print(
    f"first of 15 and of 16 {compared(torch.randn, 15, 16, 0)}; second of 16 and of 17 {compared(torch.randn, 16, 17, 1)}; "
    f"rand: {compared(torch.rand, 15, 17, 1)}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
