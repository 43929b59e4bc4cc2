#!/usr/bin/env bash
# transformer-lens 3.9.0, torch 2.13.0
# One would guess: the seed in a model's configuration is for its weights.
# What happens: making the model seeds the global generators of torch, NumPy and random: what is drawn afterwards no longer depends on one's own seed.
# So: make models first and seed after, or leave seed out.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="drawn after seeds 5 and 7 and a model with seed=0: torch the same, NumPy the same; without seed: torch others, NumPy others"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformer-lens==3.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import numpy as np
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig


def drawn(own, **how):
    torch.manual_seed(own)
    np.random.seed(own)
    HookedTransformer(HookedTransformerConfig(n_layers=1, d_model=8, n_ctx=10, d_head=4, d_vocab=11, act_fn="relu", **how))
    return torch.rand(1).item(), np.random.rand()


def told(**how):
    pairs = zip(("torch", "NumPy"), drawn(5, **how), drawn(7, **how))
    return ", ".join(f"{name} {'the same' if one == two else 'others'}" for name, one, two in pairs)


print(f"drawn after seeds 5 and 7 and a model with seed=0: {told(seed=0)}; without seed: {told()}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
