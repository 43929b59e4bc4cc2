#!/usr/bin/env bash
# pytorch-optimizer 4.1.0, torch 2.13.0, NumPy 2.4.6
# One would guess: a step of an optimiser draws no random numbers
# What happens: those of AdaHessian, Kron and Magma draw from the global generator: what is drawn after them, such as dropout and the order of samples, is other than with Adam, and a run that goes on from its state dict takes another way unless the generator is restored too
# So: data are drawn from a generator of their own, and the generator's state is saved with the optimiser's
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Adam False True AdaHessian True False Kron True False Magma True False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import copy
import pytorch_optimizer
import torch
def train(model, optimizer):
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.linspace(-1, 1, 12).reshape(4, 3)).pow(2).sum().backward(create_graph=name == "AdaHessian")
        optimizer.step()
for name in "Adam", "AdaHessian", "Kron", "Magma":
    kind = getattr(pytorch_optimizer, name, torch.optim.Adam)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model = torch.nn.Linear(3, 3)
    optimizer = kind(model.parameters(), lr=0.01)
    drawn = torch.get_rng_state()
    train(model, optimizer)
    draws = not torch.equal(drawn, torch.get_rng_state())
    other = torch.nn.Linear(3, 3)
    torch.manual_seed(1)
    other.load_state_dict(model.state_dict())
    restored = kind(other.parameters(), lr=0.01)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(other, restored)
    torch.manual_seed(2)
    train(model, optimizer)
    print(name, draws, torch.equal(model.weight, other.weight), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
