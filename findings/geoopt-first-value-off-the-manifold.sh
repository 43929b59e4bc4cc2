#!/usr/bin/env bash
# geoopt 0.5.1, torch 2.13.0
# One would guess: a ManifoldParameter on the sphere lies on the sphere.
# What happens: the value given is kept as it is, off the manifold, until the first step of a Riemannian optimiser.
# So: manifold.projx first, or .proj_() after.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="norm 5.0 when made, 1.0 after one step"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check geoopt==0.5.1 torch==2.13.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import geoopt
import torch

parameter = geoopt.ManifoldParameter(torch.tensor([3.0, 4.0]), manifold=geoopt.Sphere())
made = parameter.norm().item()
optimizer = geoopt.optim.RiemannianSGD([parameter], lr=0.1)
parameter.sum().backward()
optimizer.step()
print(f"norm {made:.1f} when made, {parameter.norm().item():.1f} after one step")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
