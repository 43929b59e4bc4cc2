#!/usr/bin/env bash
# weightwatcher 0.7.7, torch 2.13.0
# One would guess: a network that was never trained is called neither under-trained nor over-trained by a fit of power laws, or under-trained throughout
# What happens: of layers with random weights a wide one is called under-trained, and one of 20 x 10 over-trained (alpha below 2) more often than not
# So: exponents of layers are compared with those of the same shapes with random weights
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="wide 2 narrow 4 of 5"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check weightwatcher==0.7.7 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging, sys
logging.disable(50)
import torch, weightwatcher
found = []
for seed in range(5):
    torch.manual_seed(seed)
    layers = torch.nn.Linear(300, 300), torch.nn.Linear(20, 10)
    stdout, sys.stdout = sys.stdout, sys.stderr
    table = weightwatcher.WeightWatcher(model=torch.nn.Sequential(*layers)).analyze()
    sys.stdout = stdout
    found.append(list(table["warning"]))
wide, narrow = zip(*found)
print("wide", wide.count("under-trained"), "narrow", narrow.count("over-trained"), "of 5")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
