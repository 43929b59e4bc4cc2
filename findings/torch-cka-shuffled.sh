#!/usr/bin/env bash
# torch_cka 0.21, torch 2.13.0
# One would guess: two networks are compared on the same batches of the loader that is given: a network is like itself, 1.
# What happens: the loader is gone through once for each network: if it shuffles, different samples are compared, and the similarity of a network with itself is about 0.
# So: never compare with a loader that shuffles.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 without shuffling, 0.0 with shuffling"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch_cka==0.21 torch==2.13.0 numpy==2.4.6 tqdm==4.70.1 matplotlib==3.11.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_cka import CKA

torch.manual_seed(0)
one, other = (nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in range(2))
other.load_state_dict(one.state_dict())
x = torch.randn(64, 10)
said = []
for shuffle in (False, True):
    cka = CKA(one, other)
    cka.compare(DataLoader(TensorDataset(x, x), batch_size=16, shuffle=shuffle))
    said.append(f"{abs(cka.export()['CKA'].diagonal()).min():.1f} {'with' if shuffle else 'without'} shuffling")
print(", ".join(said))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
