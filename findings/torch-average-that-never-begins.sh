#!/usr/bin/env bash
# torch 2.13.0
# One would guess: ASGD trains averaged weights.
# What happens: averages begin after t0 = 1,000,000 steps, and stand in the optimiser's state, not in the model.
# So: t0=0 or so, and copy state[parameter]['ax'] into the model.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after 50 steps the average is the last weight; with t0=0 it is not, and the model holds the last weight"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch


def trained(**how):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.ASGD([weight], lr=0.1, **how)
    for _ in range(50):
        weight.grad = torch.randn(1)
        optimizer.step()
    return weight.item(), optimizer.state[weight]["ax"].item()


(last, average), (early, averaged) = trained(), trained(t0=0)
print(
    f"after 50 steps the average is {'the last weight' if last == average else 'another'}; with t0=0 it is "
    f"{'too' if early == averaged else 'not'}, and the model holds {'the last weight' if abs(early - last) < 0.01 else 'another'}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
