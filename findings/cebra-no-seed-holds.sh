#!/usr/bin/env bash
# cebra 0.6.1, torch 2.13.0
# One would guess: with the seeds of torch, NumPy and random set, two fits of one recording are equal.
# What happens: its sampler has a generator with a seed of its own, drawn from the machine: fits differ.
# So: compare embeddings by consistency over several fits, never by a seed.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="two fits with all seeds set agree: False"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cebra==0.6.1 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import random

import cebra
import numpy as np
import torch

recording = np.random.default_rng(0).normal(size=(300, 20)).astype("float32")


def embedding():
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(0)
    model = cebra.CEBRA(output_dimension=3, max_iterations=5, batch_size=64, device="cpu", verbose=False)
    return model.fit(recording).transform(recording)


print(f"two fits with all seeds set agree: {np.allclose(embedding(), embedding())}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
