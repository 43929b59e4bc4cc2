#!/usr/bin/env bash
# pytorch-metric-learning 2.9.0, torch 2.13.0
# One would guess: TripletMarginLoss is the mean over all triplets.
# What happens: it is the mean over those whose loss is above 0: the value need not fall as triplets come right.
# So: log the number of triplets beside it, or reducer=MeanReducer().
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="48 triplets, 32 above 0: default the mean of these, MeanReducer the mean of all"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytorch-metric-learning==2.9.0 torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer

torch.manual_seed(0)
points, labels = torch.nn.functional.normalize(torch.randn(8, 3)), torch.arange(4).repeat_interleave(2)
distance = torch.cdist(points, points)
same = labels[:, None] == labels
triplets = [(a, p, n) for a in range(8) for p in range(8) for n in range(8) if a != p and same[a, p] and not same[a, n]]
losses = torch.stack([(distance[a, p] - distance[a, n] + 0.1).clamp(min=0) for a, p, n in triplets])
default = TripletMarginLoss(margin=0.1)(points, labels)
mean = TripletMarginLoss(margin=0.1, reducer=MeanReducer())(points, labels)
print(
    f"{len(losses)} triplets, {(losses > 0).sum()} above 0: default {'the mean of these' if torch.isclose(default, losses[losses > 0].mean()) else 'another'}, "
    f"MeanReducer {'the mean of all' if torch.isclose(mean, losses.mean()) else 'another'}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
