#!/usr/bin/env bash
# torch 2.13.0
# One would guess: vector_to_parameters copies a vector of weights into a network.
# What happens: the parameters become views of the vector: training changes the vector, and a change of the vector changes the network.
# So: hand over vector.clone(), or a stored point of a trajectory moves on.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="the stored vector is as before the step: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

network = torch.nn.Linear(2, 1)
stored = parameters_to_vector(network.parameters()).detach()
before = stored.clone()
vector_to_parameters(stored, network.parameters())
network(torch.ones(1, 2)).sum().backward()
torch.optim.SGD(network.parameters(), lr=1.0).step()
print(f"the stored vector is as before the step: {torch.equal(stored, before)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
