#!/usr/bin/env bash
# pyro-ppl 1.9.2, torch 2.13.0
# One would guess: a second model starts its parameters from the values that it gives them.
# What happens: pyro.param looks the name up in a store of the process: a parameter of that name goes on from the first model's value.
# So: pyro.clear_param_store() before each fit.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="first 1, second asked for 5 and has 1, after clear_param_store 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyro-ppl==1.9.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pyro
import torch


def model(value):
    return pyro.param("w", torch.tensor(value)).item()


first, second = model(1.0), model(5.0)
pyro.clear_param_store()
print(f"first {first:.0f}, second asked for 5 and has {second:.0f}, after clear_param_store {model(5.0):.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
