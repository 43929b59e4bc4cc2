#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0, NumPy 2.4.6
# One would guess: the cosine similarity of a row with itself is 1
# What happens: pairwise_cosine_similarity(x) has a diagonal of 0, by default where one matrix is given; pairwise_cosine_similarity(x, x) has one of 1: the mean over all pairs of three equal rows is 0.67 and 1
# So: zero_diagonal=False is set before a matrix is averaged or clustered
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.67 1.00 1.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from torchmetrics.functional import pairwise_cosine_similarity
x = torch.ones(3, 4)
for answer in (
    pairwise_cosine_similarity(x),
    pairwise_cosine_similarity(x, x),
    pairwise_cosine_similarity(x, zero_diagonal=False),
):
    print(f"{answer.mean():.2f}", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
