#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0
# One would guess: the correlation of a constant with anything is NaN.
# What happens: Pearson's is NaN, Spearman's is 0.
# So: a 0 by Spearman may mean that nothing was measured.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Pearson nan, Spearman 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

import torch
from torchmetrics import PearsonCorrCoef, SpearmanCorrCoef

warnings.simplefilter("ignore")
constant, line = torch.ones(4), torch.arange(4.0)
print(f"Pearson {PearsonCorrCoef()(constant, line):.0f}, Spearman {SpearmanCorrCoef()(constant, line):.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
