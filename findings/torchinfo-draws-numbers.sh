#!/usr/bin/env bash
# torchinfo 1.8.0, torch 2.13.0
# One would guess: a summary printed before training does not change the training.
# What happens: its input is drawn from PyTorch's generator: the same seed trains another network when a summary was printed.
# So: seed after it, or give input_data.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="the next random number is another; with input_data the same"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchinfo==1.8.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchinfo import summary

model, batch = torch.nn.Linear(10, 10), torch.zeros(2, 10)


def drawn(look=None):
    torch.manual_seed(0)
    if look is not None:
        look()
    return torch.rand(1).item()


plain = drawn()
by_size = drawn(lambda: summary(model, (2, 10), verbose=0))
by_data = drawn(lambda: summary(model, input_data=batch, verbose=0))
print(f"the next random number is {'the same' if by_size == plain else 'another'}; with input_data {'the same' if by_data == plain else 'another'}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
