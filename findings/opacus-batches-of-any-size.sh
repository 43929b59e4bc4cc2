#!/usr/bin/env bash
# opacus 1.6.0, torch 2.13.0
# One would guess: make_private keeps the batches of the loader that it is given.
# What happens: each sample is drawn on its own (Poisson): batches of 8 become batches of 5 to 10, and names of parameters get a prefix.
# So: poisson_sampling=False where steps are to be compared, and strip _module. from names.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="one size of batch: False; parameters _module.weight, _module.bias"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opacus==1.6.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from opacus import PrivacyEngine

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 3)), batch_size=8)
private, _, other = PrivacyEngine().make_private(
    module=model,
    optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
    data_loader=loader,
    noise_multiplier=1.0,
    max_grad_norm=1.0,
)
sizes = {len(rows) for _ in range(5) for (rows,) in other}
print(f"one size of batch: {len(sizes) == 1}; parameters {', '.join(name for name, _ in private.named_parameters())}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
