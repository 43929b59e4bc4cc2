#!/usr/bin/env bash
# torchsde 0.2.6, torch 2.13.0
# One would guess: torch.manual_seed makes sdeint draw the same path twice.
# What happens: it draws another one: the noise is seeded by NumPy's global generator.
# So: seed NumPy too, or hand over a BrownianInterval with `entropy`.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after torch.manual_seed: another path, after numpy.random.seed: the same path"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchsde==0.2.6 torch==2.13.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import torch
import torchsde


class Walk(torch.nn.Module):
    noise_type, sde_type = "diagonal", "ito"

    def f(self, t, y):
        return -y

    def g(self, t, y):
        return torch.ones_like(y)


def twice(seed):
    ends = []
    for _ in range(2):
        seed(0)
        ends.append(torchsde.sdeint(Walk(), torch.zeros(1, 1), torch.linspace(0, 1, 3))[-1].item())
    return "the same path" if ends[0] == ends[1] else "another path"


print(f"after torch.manual_seed: {twice(torch.manual_seed)}, after numpy.random.seed: {twice(np.random.seed)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
