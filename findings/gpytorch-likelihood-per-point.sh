#!/usr/bin/env bash
# gpytorch 1.15.2, torch 2.13.0
# One would guess: ExactMarginalLogLikelihood is the log likelihood of the data.
# What happens: it is divided by the number of points.
# So: multiply by it before comparing models by BIC, or with another library.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="20 points: the log density divided by what is returned is 20"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gpytorch==1.15.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gpytorch
import torch

x = torch.linspace(0, 1, 20)
y = torch.sin(6 * x)


class Process(gpytorch.models.ExactGP):
    def __init__(self, likelihood):
        super().__init__(x, y, likelihood)
        self.mean = gpytorch.means.ZeroMean()
        self.kernel = gpytorch.kernels.RBFKernel()

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))


likelihood = gpytorch.likelihoods.GaussianLikelihood()
model = Process(likelihood)
model.train()
with torch.no_grad():
    returned = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)(model(x), y)
    density = likelihood(model(x)).log_prob(y)
print(f"20 points: the log density divided by what is returned is {(density / returned).item():.0f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
