#!/usr/bin/env bash
# tensordict 0.15.3, torch 2.13.0
# One would guess: setting an entry of td[0] sets the first row of td, as it does for a tensor
# What happens: it sets the entry of a table of its own, and td is as it was; td[0] = ... and set_() write through
# So: what was measured is written by td[i] = ..., and looked at once afterwards
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.0, 0.0, 0.0] [1.0, 0.0, 0.0] [2.0, 2.0, 0.0]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensordict==0.15.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from tensordict import TensorDict
table = TensorDict({"loss": torch.zeros(3)}, batch_size=[3])
table[0]["loss"] = torch.tensor(1.0)
first = table["loss"].tolist()
table[0] = TensorDict({"loss": torch.tensor(1.0)})
second = table["loss"].tolist()
table[:2].set_("loss", torch.full((2,), 2.0))
print(first, second, table["loss"].tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
