#!/usr/bin/env bash
# torchdiffeq 0.2.5, torch 2.13.0
# One would guess: method='rk4' is the classical rule of Runge and Kutta.
# What happens: it is the 3/8 rule, also of fourth order: other numbers at the same step.
# So: name the rule when trajectories are compared bit by bit or at coarse steps.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="classical 0.3782, 3/8 0.2839, rk4 0.2839"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torchdiffeq==0.2.5 torch==2.13.0 scipy==1.17.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
import torchdiffeq


def slope(t, y):
    return -(y**2) * (1 + t)


y = torch.ones(1, dtype=torch.float64)
a = slope(0, y)
b = slope(0.5, y + a / 2)
c = slope(0.5, y + b / 2)
classical = y + (a + 2 * b + 2 * c + slope(1, y + c)) / 6
b = slope(1 / 3, y + a / 3)
c = slope(2 / 3, y + b - a / 3)
eighths = y + (a + 3 * b + 3 * c + slope(1, y + a - b + c)) / 8
seen = torchdiffeq.odeint(slope, y, torch.tensor([0.0, 1.0], dtype=torch.float64), method="rk4")[-1]
print(f"classical {classical.item():.4f}, 3/8 {eighths.item():.4f}, rk4 {seen.item():.4f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
